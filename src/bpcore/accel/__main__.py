"""`python -m bpcore.accel` runs a program with bpcore in scikit-learn's place."""

import sys

from bpcore.accel.run import run

if __name__ == "__main__":
    run(sys.argv[1:])
