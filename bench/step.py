"""Time one training step, called from Python.

python -m bench.step 784-128-10 --batch 32 --dtype float32 --json step.json
"""

from . import verify
from .command import command
from .compare import Task
from .floor import Floor

STEP = Task(
    name="training step",
    method="step",
    check=verify.training,
    tolerance=verify.MOVEMENT,
    floor=Floor.of_step,
)

if __name__ == "__main__":
    command(STEP)
