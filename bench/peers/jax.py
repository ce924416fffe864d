"""JAX: the whole step compiled, its buffers donated, dispatched in the same thread."""

import jax
import jax.numpy as jnp
import numpy as np

from ..case import LEARNING_RATE, MOMENTUM

jax.config.update("jax_enable_x64", True)
# On one core a dispatch to another thread only adds a context switch.
jax.config.update("jax_cpu_enable_async_dispatch", False)


class Peer:
    """A jitted function from parameters and velocity to the next ones."""

    title = "JAX"

    def __init__(self, case):
        self._X, self._y = jnp.asarray(case.X), jnp.asarray(case.y)
        self._net = jax.tree.map(jnp.array, (case.weights, case.biases))
        self._velocity = jax.tree.map(jnp.zeros_like, self._net)

    def parameters(self):
        weights, biases = self._net
        return [np.asarray(array) for array in weights + biases]

    def step(self):
        self._net, self._velocity = _step(self._net, self._velocity, self._X, self._y)
        jax.block_until_ready(self._net)

    def predict(self):
        return _predict(self._net, self._X).block_until_ready()


def _logits(net, X):
    *hidden, (W_last, b_last) = zip(*net, strict=True)
    a = X
    for W, b in hidden:
        a = jax.nn.relu(a @ W + b)
    return a @ W_last + b_last


def _loss(net, X, y):
    log_p = jax.nn.log_softmax(_logits(net, X))
    return -jnp.take_along_axis(log_p, y[:, None], axis=1).mean()


def _next(net, velocity, X, y):
    gradient = jax.grad(_loss)(net, X, y)
    velocity = jax.tree.map(lambda v, g: MOMENTUM * v + g, velocity, gradient)
    return jax.tree.map(lambda p, v: p - LEARNING_RATE * v, net, velocity), velocity


_step = jax.jit(_next, donate_argnums=(0, 1))
_predict = jax.jit(lambda net, X: jax.nn.softmax(_logits(net, X)))
