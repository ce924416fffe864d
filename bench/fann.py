"""Time training sample by sample, inside one call of ``fit``, and that of FANN.

python -m bench.fann 4-64-64-2 --json fann.json

FANN (Fast Artificial Neural Network Library) trains one sample at a time in plain C.
In Debian it is libfann-dev; without it or a C compiler nothing is timed.
"""

import argparse
import tempfile
from functools import partial

from . import fann_driver, per_sample, pinning, verdicts, verify
from .command import add_settings, net_name, run
from .compare import Task
from .floor import Floor

NETS = ("2-16-2", "4-64-64-2", "784-128-10")

FIT = Task(
    name="training step on one sample, inside fit",
    method="step",
    check=partial(verify.training, oracle=per_sample.Reference, steps=1),
    tolerance=verify.MOVEMENT,
    floor=Floor.of_step,
    per_call=per_sample.ROWS,
)


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(isa=options.isa)
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = fann_driver.build(folder)
        except fann_driver.Unavailable as missing:
            print(f"FANN cannot be timed here: {missing}")
            return
        contenders = {
            "bpcore": per_sample.Peer,
            "fann": partial(fann_driver.Peer, program),
        }
        record = run(FIT, map(per_sample.Rows, options.nets), contenders, options)
    print(f"\n{verdicts.table('fann', record)}")


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.fann",
        description="Time training one sample at a time, inside fit, and FANN.",
    )
    add = parser.add_argument
    add(
        "nets",
        nargs="*",
        type=net_name,
        metavar="NET",
        default=NETS,
        help="as in 2-16-2",
    )
    add("--isa", metavar="NAME", help="instruction set for bpcore, as in x86_64_v3")
    add_settings(add, 3.0)
    return parser


if __name__ == "__main__":
    main()
