"""Random calls of a random network, right and wrong ones, for as long as wanted.

    python -m trust.safety.random_calls FIRST COUNT

Case k is made from the seed FIRST + k: a network of random settings, and some calls of
its public methods with arrays that may be anything, often between unreadable pages.
The number of each case is printed before it; the process must not die, and no case may
raise SystemError.
"""

import contextlib
import faulthandler
import io
import os
import pickle
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

import bpcore as bp
from trust.safety.guard_pages import guarded_copy

CALLS_OF_A_CASE = 12
SMALL = (1, 2, 3, 5, 8, 16, 17, 31, 33, 64, 65, 100)
OPTIMIZERS = (
    bp.SGD, bp.Momentum, bp.RMSprop, bp.Adagrad, bp.Adam, bp.AdamW, bp.AMSGrad,
    bp.Nadam, bp.Adamax, bp.RAdam, bp.Lion, bp.Rprop, bp.LBFGS,
)  # fmt: skip


class Case:
    """A network, and calls of it, from one seed."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        sizes = [int(self.one(SMALL)) for _ in range(self.rng.integers(2, 5))]
        hidden = len(sizes) - 2
        settings = {
            "activation": [self.one([*bp.ACTIVATIONS]) for _ in range(hidden)],
            "loss": self.one([*bp.LOSSES, custom_loss]),
            "optimizer": self.optimizer(),
            "norm": [self.one([None, None, "batch", "layer"]) for _ in range(hidden)],
            "dropout": self.one([0.0, 0.0, 0.5]),
            "input_noise": self.one([0.0, 0.0, 0.1]),
            "input_scale": self.one([None, None, 3.0]),
            "dtype": self.one(["float32", "float64"]),
            "n_threads": self.one([1, 1, 3]),
            "rng": seed,
        }
        self.net = bp.Network(sizes, **settings)

    def run(self):
        """Make the calls."""
        for _ in range(CALLS_OF_A_CASE):
            try:
                self.call()
            except SystemError:
                raise
            except Exception as error:
                # A message is made from the arguments: it too must not crash.
                str(error)

    def one(self, choices):
        return choices[int(self.rng.integers(len(choices)))]

    def likely(self, p):
        return self.rng.random() < p

    def optimizer(self):
        settings = {"lr": 0.01}
        if self.likely(0.3):
            settings["clip_norm"] = 0.5
        if self.likely(0.2):
            settings["max_norm"] = 1.0
        Optimizer = self.one(OPTIMIZERS)
        return Optimizer() if Optimizer is bp.LBFGS else Optimizer(**settings)

    def array(self, *shape, dtype=None):
        """An array of a shape, most often of the network's dtype; sometimes odd."""
        dtype = dtype or self.net.dtype
        if self.likely(0.1):
            shape = tuple(max(int(n + self.rng.integers(-1, 2)), 0) for n in shape)
        if self.likely(0.05):
            dtype = self.one(["f2", "f4", "f8", ">f4", "u1", "i4", "O", "c8", "S3"])
        array = self.rng.uniform(0, 1, shape).astype("f8").astype(dtype)
        if self.likely(0.03) and array.size and array.dtype.kind == "f":
            array.flat[-1] = self.one([np.nan, np.inf, -np.inf])
        form = self.rng.integers(12)
        if form == 0:
            return array.tolist()
        if form == 1:
            return np.asfortranarray(array)
        if form == 2 and array.ndim:
            return np.repeat(array, 2, 0)[::2]
        if form == 3:
            return array.view(type("Sub", (np.ndarray,), {}))
        if form == 4:
            array.flags.writeable = False
        if 5 <= form <= 9 and array.dtype.kind in "fi" and array.size:
            return guarded_copy(array, at_end=bool(form % 2))
        return array

    def rows(self, n):
        return self.array(n, self.net.sizes[0])

    def targets(self, n):
        n_out = self.net.sizes[-1]
        if self.likely(0.4):
            low, high = (-1, n_out + 1) if self.likely(0.1) else (0, n_out)
            labels = self.rng.integers(low, high, n)
            return guarded_copy(labels) if self.likely(0.5) else labels
        return self.array(n, n_out) if self.likely(0.8) else self.array(n)

    def call(self):
        """One random call."""
        net, n = self.net, int(self.one(SMALL))
        name = self.one(CALLS)
        X, y = self.rows(n), self.targets(n)
        weight = self.array(n, dtype="f8") if self.likely(0.3) else None
        if name == "fit":
            net.fit(X, y, epochs=int(self.rng.integers(1, 3)), progress=False,
                    batch_size=int(self.one(SMALL)), sample_weight=weight,
                    shuffle=self.likely(0.5), accumulate=int(self.one([1, 1, 2, 5])),
                    validation=self.one([None, None, 0.3]),
                    restore_best=self.likely(0.2))  # fmt: skip
        elif name in ("train_step", "gradients", "evaluate"):
            getattr(net, name)(X, y, weight)
        elif name == "apply":
            net.apply(net.gradients(X, y, weight))
        elif name == "learn_one":
            net.learn_one(self.array(net.sizes[0]), self.one([0, 0.5, 1, -1, y]))
        elif name == "predict":
            out = self.array(n, net.sizes[-1]) if self.likely(0.5) else None
            net.predict(X, out=out)
        elif name == "predict_one":
            net.predict_one(self.array(net.sizes[0]))
        elif name == "backward":
            net.backward(net.forward(X), self.array(n, net.sizes[-1]))
        elif name == "trace":
            bp.trace(net, X, y, apply=self.likely(0.5))
        elif name == "node":
            (net.node(X) ** 2).sum().backward()
            net.apply()
        elif name == "settings":
            self.change_settings()
        elif name == "copy":
            self.net = pickle.loads(pickle.dumps(net))
        elif name == "file":
            path = Path(tempfile.gettempdir(), f"random-calls-{os.getpid()}.bpc")
            net.save(path, sync=False)
            self.net = bp.load(path)
            path.unlink()
        elif name == "kernel":
            self.kernel()

    def change_settings(self):
        net, L = self.net, len(self.net.sizes) - 1
        which = self.rng.integers(6)
        if which == 0:
            net.optimizer = self.optimizer()
        elif which == 1:
            net.frozen = [self.likely(0.5) for _ in range(L)]
        elif which == 2:
            net.lr_factors = [float(self.one([0, 1, 2])) for _ in range(L)]
        elif which == 3:
            net.n_threads = int(self.one([1, 2, 5]))
        elif which == 4:
            net.parameters[...] = self.rng.normal(size=net.parameters.size)
        else:
            self.net = net.astype(self.one(["float32", "float64"]))

    def kernel(self):
        """A kernel on arrays of which some may be of wrong sizes."""
        n, n_in, n_out = (int(self.one(SMALL)) for _ in range(3))
        a, W, b = self.array(n, n_in), self.array(n_in, n_out), self.array(n_out)
        delta, k = self.array(n, n_out), bp.kernels
        optimizer = self.optimizer()
        states = len(optimizer.states)
        which = self.rng.integers(6)
        if which == 0:
            k.forward(a, W, b, delta, self.one([*k.ACTIVATIONS]))
        elif which == 1:
            k.propagate(delta, W, a, self.array(n, n_in), self.one([*k.ACTIVATIONS]))
        elif which == 2:
            k.gradient(a, delta, W, b)
        elif which == 3:
            state_W, state_b = (
                self.array(states, n_in, n_out),
                self.array(states, n_out),
            )
            k.update(W, b, a, delta, optimizer, state_W, state_b, int(self.one(SMALL)))
        elif which == 4:
            k.loss(delta, self.array(n, n_out), self.one([*k.LOSSES]),
                   y=self.array(n, n_out))  # fmt: skip
        else:
            k.normalise(delta, self.array(n, n_out), self.array(max(n, n_out)),
                        self.array(2, n_out), b, self.array(n_out),
                        self.one(["batch", "layer"]))  # fmt: skip


#: Names of calls, those that matter most more than once.
CALLS = (
    "fit", "fit", "train_step", "train_step", "gradients", "evaluate", "apply",
    "learn_one", "predict", "predict", "predict_one", "backward", "trace", "node",
    "settings", "settings", "copy", "file", "kernel", "kernel",
)  # fmt: skip


def custom_loss(a, y):
    """Half the squared error."""
    d = a - (y if y.ndim == 2 else np.eye(a.shape[1])[y])
    return (d * d).sum(1) / 2, d


def main(make=Case):
    """Run cases; errors of their calls are right answers, but for SystemError."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    first, count = map(int, sys.argv[1:])
    for seed in range(first, first + count):
        print(seed, flush=True)
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.suppress(ValueError, TypeError),
        ):
            make(seed).run()
    print("all", flush=True)


if __name__ == "__main__":
    main()
