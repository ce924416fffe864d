"""FANN, run by a small C program in a separate process."""

import subprocess
import tempfile
import weakref
from pathlib import Path

import numpy as np

from .case import MOMENTUM
from .per_sample import LEARNING_RATE

_SOURCE = Path(__file__).with_suffix(".c")


class Unavailable(Exception):
    """FANN or a C compiler is missing; the message says which."""


def build(folder):
    """Compile the driver with the system's compiler; returns the program's path.

    Raises
    ------
    Unavailable
        If this fails.
    """
    program = Path(folder) / "fann_driver"
    command = ["cc", "-O2", str(_SOURCE), "-o", str(program), "-lfloatfann", "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise Unavailable("there is no C compiler (cc)") from None
    except subprocess.CalledProcessError as error:
        message = next(
            (line for line in error.stderr.splitlines() if "error" in line), "cc failed"
        )
        raise Unavailable(message) from None
    return program


class Driver:
    """The running program; each call of it is one pass over the rows.

    Parameters
    ----------
    program : Path
    file : Path
        Input of the program: see its source.
    """

    def __init__(self, program, file):
        self._process = subprocess.Popen(
            [program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        # It ends at the end of its input, and then must be waited for.
        weakref.finalize(self, self._process.communicate)

    def __call__(self):
        """One pass."""
        self._call("train 1")

    def time(self, calls):
        """Seconds of so many passes, and of these the seconds not on the core."""
        taken, on_core = self._call(f"train {calls}")
        return taken, taken - on_core

    def weights(self):
        """All weights, in FANN's order."""
        return self._call("weights")

    def _call(self, command):
        """The numbers that the program returns."""
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return np.array(self._process.stdout.readline().split(), float)


class Peer:
    """FANN's incremental training, from the weights of a `Rows` case.

    Parameters
    ----------
    program : Path
        The compiled driver.
    case : Rows
    """

    title = "FANN"

    def __init__(self, program, case):
        self._layers = case.layers
        with tempfile.NamedTemporaryFile() as file:
            _write(file, case)
            self.step = Driver(program, file.name)
            # The program has read the file when it answers, and does not need it later.
            self.step.weights()

    def parameters(self):
        weights, biases, at = [], [], 0
        flat = self.step.weights()
        for n_in, n_out in self._layers:
            layer = flat[at : at + (n_in + 1) * n_out].reshape(n_out, n_in + 1)
            weights.append(layer[:, :-1].T)
            biases.append(layer[:, -1])
            at += layer.size
        return weights + biases


def _write(file, case):
    """Write the case in the driver's format."""
    counts = [len(case.sizes), len(case.X), *case.sizes]
    file.write(np.array(counts, np.uint32).tobytes())
    file.write(np.array([LEARNING_RATE, MOMENTUM], np.float32).tobytes())
    for W, b in zip(case.weights, case.biases, strict=True):
        file.write(np.vstack([W, b]).T.tobytes())
    file.write(case.X.tobytes())
    file.write(case.y.tobytes())
    file.flush()
