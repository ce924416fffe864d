"""Case: a network, a batch size and a dtype to measure, with data and weights."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEARNING_RATE = 0.01
MOMENTUM = 0.9

#: The networks and batch sizes whose speed the project states: from control loops to
#: the widest networks that one would train on a CPU.
TABLE = (
    ("2-16-2", 1),
    ("4-64-64-2", 1),
    ("4-64-64-2", 32),
    ("784-128-10", 1),
    ("784-128-10", 32),
    ("784-128-10", 128),
    ("784-1024-1024-10", 128),
    ("2048-2048-2048-2048", 256),
)


@dataclass(frozen=True)
class Case:
    """One line of a table.

    The network has ReLU hidden layers, softmax outputs and cross-entropy loss, and is
    trained by gradient descent with momentum from integer labels.

    Its numbers are chosen so that no unit dies, however long it is trained. The
    velocity of a dead unit becomes subnormal and stays so, and the times would depend
    on the CPU's speed with subnormal numbers.

    Parameters
    ----------
    net : str
        The sizes of its layers, as in ``"784-128-10"``.
    batch : int
        Rows per training step or prediction.
    dtype : str
        ``"float32"`` or ``"float64"``.
    """

    net: str
    batch: int
    dtype: str = "float32"

    def __str__(self):
        return f"{self.net}, batch {self.batch}, {self.dtype}"

    @cached_property
    def sizes(self):
        """Units per layer, inputs first."""
        return tuple(int(size) for size in self.net.split("-"))

    @cached_property
    def layers(self):
        """(n_in, n_out) of every weight layer."""
        return tuple(zip(self.sizes, self.sizes[1:], strict=False))

    @cached_property
    def X(self):
        """Inputs, (batch, n_0), rows of norm about 2."""
        X = np.random.default_rng(1).standard_normal((self.batch, self.sizes[0]))
        return self._cast(X * 2 / np.sqrt(self.sizes[0]))

    @cached_property
    def y(self):
        """Labels, (batch,)."""
        return np.random.default_rng(2).integers(self.sizes[-1], size=self.batch)

    @cached_property
    def weights(self):
        """Initial W of every layer, (n_in, n_out), so small that no unit switches."""
        rng = np.random.default_rng(3)
        return [
            self._cast(rng.standard_normal(shape) * 0.4 / np.sqrt(max(shape)))
            for shape in self.layers
        ]

    @cached_property
    def biases(self):
        """Initial b of every layer, (n_out,); they switch half of the hidden units off.

        Hidden activations have norm about 6, for which the learning rate is stable.
        """
        rng = np.random.default_rng(4)
        hidden = [8 * rng.choice((-1, 1), n) / np.sqrt(n) for n in self.sizes[1:-1]]
        output = rng.standard_normal(self.sizes[-1]) * 0.1
        return [self._cast(b) for b in (*hidden, output)]

    @property
    def parameters(self):
        """All weights, then all biases."""
        return self.weights + self.biases

    @property
    def parameter_bytes(self):
        """Bytes of all weights and biases."""
        return sum(array.nbytes for array in self.parameters)

    def _cast(self, array):
        """The array in the dtype, rounded to float32 first: the same in float64."""
        return array.astype(np.float32).astype(self.dtype)
