"""A training step in NumPy by hand, optimized: in place, with buffers used again."""

import numpy as np

from ..case import LEARNING_RATE, MOMENTUM


class Peer:
    """Forward pass, backward pass and momentum, with ``out=`` wherever possible."""

    title = "NumPy by hand"

    def __init__(self, case):
        self._y = case.y
        self._rows = np.arange(case.batch)
        self._W = [W.copy() for W in case.weights]
        self._b = [b.copy() for b in case.biases]
        self._dW, self._vW = _zeros_like(self._W), _zeros_like(self._W)
        self._db, self._vb = _zeros_like(self._b), _zeros_like(self._b)
        self._a = [case.X]
        self._a += [np.empty((case.batch, n), case.dtype) for n in case.sizes[1:]]
        self._delta = _zeros_like(self._a)

    def parameters(self):
        return self._W + self._b

    def predict(self):
        last = len(self._W) - 1
        for layer, (W, b) in enumerate(zip(self._W, self._b, strict=True)):
            out = self._a[layer + 1]
            np.matmul(self._a[layer], W, out=out)
            out += b
            if layer < last:
                np.maximum(out, 0, out=out)
        out -= out.max(axis=1, keepdims=True)
        np.exp(out, out=out)
        out /= out.sum(axis=1, keepdims=True)
        return out

    def step(self):
        delta = self.predict()
        delta[self._rows, self._y] -= 1
        delta /= len(delta)
        for layer in reversed(range(len(self._W))):
            a, W, b = self._a[layer], self._W[layer], self._b[layer]
            dW, db = self._dW[layer], self._db[layer]
            # For one row matmul uses a slow loop; broadcasting is faster.
            (np.multiply if len(a) == 1 else np.matmul)(a.T, delta, out=dW)
            np.sum(delta, axis=0, out=db)
            if layer > 0:
                delta = np.matmul(delta, W.T, out=self._delta[layer])
                delta *= a > 0
            _descend(W, self._vW[layer], dW)
            _descend(b, self._vb[layer], db)


def _descend(parameter, velocity, gradient):
    """v = momentum v + g, then p = p - lr v; overwrites the gradient."""
    velocity *= MOMENTUM
    velocity += gradient
    np.multiply(velocity, LEARNING_RATE, out=gradient)
    parameter -= gradient


def _zeros_like(arrays):
    return [np.zeros_like(array) for array in arrays]
