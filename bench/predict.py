"""Time one prediction, called from Python.

python -m bench.predict 784-128-10 --batch 1 32 --json predict.json
"""

from . import verify
from .compare import Task, command
from .floor import Floor

PREDICT = Task(
    name="prediction",
    method="predict",
    check=verify.prediction,
    tolerance=verify.RESULT,
    floor=Floor.of_prediction,
)

if __name__ == "__main__":
    command(PREDICT)
