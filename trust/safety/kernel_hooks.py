"""Kernels called alone, one of whose arguments resizes the arrays of the others."""

import numpy as np

import bpcore as bp

N = 1 << 18


def kernel_cases():
    """A name, and a function without arguments that may raise."""
    for call in CALLS:
        yield f"kernels: {call.__name__}, arrays resized meanwhile", call


def acting(*arrays, value=0.5):
    """An object whose conversion to a number frees the arrays first."""

    class Number:
        def free(self):
            for array in arrays:
                array.resize((1,) * array.ndim, refcheck=False)
            return [np.full(1 << 18, 7, np.uint8) for _ in range(4)]

        def __float__(self):
            self.free()
            return float(value)

        def __index__(self):
            self.free()
            return int(value)

    return Number()


def flat():
    return np.ones(N)


def square():
    return np.ones((512, N // 512))


def limit_norms():
    W = square()
    bp.kernels.limit_norms(W, acting(W))


def clip_norm():
    g = flat()
    bp.kernels.clip_norm(g, acting(g))


def follow():
    running, moments = np.ones((2, N)), np.ones((2, N))
    bp.kernels.follow(running, moments, acting(running, moments, value=2))


def drop():
    x, out = square(), square()
    bp.kernels.drop(x, out, acting(x, out, value=1), 0.5)


def drop_by_p():
    x, out = square(), square()
    bp.kernels.drop(x, out, 1, acting(x))


def add_noise():
    x, out = square(), square()
    bp.kernels.add_noise(x, out, 1, acting(out))


def all_between():
    x = flat()
    bp.kernels.all_between(x, acting(x), 2.0)


def loss():
    z, delta, y = square(), square(), square()
    bp.kernels.loss(z, delta, "huber", y=y, setting=acting(z, delta, y))


def loss_of_labels():
    z, delta, labels = square(), square(), np.zeros(512, np.int64)
    bp.kernels.loss(z, delta, "cross_entropy", labels=labels, setting=acting(labels))


def descend():
    w, g, state = flat(), flat(), np.ones((2, N))
    bp.kernels.descend(w, g, bp.Adam(), state, acting(w, g, state, value=1))


def descend_by_optimizer():
    w, g, state = flat(), flat(), np.ones((2, N))

    class Adam(bp.Adam):
        def groups(self):
            w.resize(1, refcheck=False)
            return super().groups()

    bp.kernels.descend(w, g, Adam(), state)


def update():
    W, b, a, delta = square(), np.ones(N // 512), np.ones((3, 512)), np.ones((3, 512))
    bp.kernels.update(W, b, a, delta, bp.SGD(), step=acting(W, b, a, delta, value=1))


def fma_loop():
    out = flat()
    bp.kernels.fma_loop(out, acting(out, value=10))


CALLS = (
    limit_norms, clip_norm, follow, drop, drop_by_p, add_noise, all_between, loss,
    loss_of_labels, descend, descend_by_optimizer, update, fma_loop,
)  # fmt: skip
