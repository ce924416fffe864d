"""Time one prediction, called from Python.

python -m bench.predict 784-128-10 --batch 1 32 --json predict.json
"""

from . import verify
from .command import command
from .compare import Task
from .floor import Floor

PREDICT = Task(
    name="prediction",
    method="predict",
    check=verify.prediction,
    tolerance=verify.RESULT,
    floor=Floor.of_prediction,
)

#: One row, as in a control loop, up to 8192 rows, as for a table.
TABLE = (
    ("2-16-2", 1),
    *(("4-64-64-2", rows) for rows in (1, 32, 256, 1024, 8192)),
    *(("784-128-10", rows) for rows in (1, 32, 256, 1024, 8192)),
    ("784-1024-1024-10", 128),
    ("2048-2048-2048-2048", 256),
)

if __name__ == "__main__":
    command(PREDICT, TABLE)
