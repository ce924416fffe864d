"""Calls of the kernels, which use the memory of arrays as it is."""

from functools import partial

import numpy as np

import bpcore as bp
from trust.calls.call import LABELS, N_IN, N_OUT, ROW, TARGET, WEIGHTS, Call, X, Y

A, W, B, DELTA = X, np.arange(N_IN * N_OUT).reshape(N_IN, N_OUT) / 4.0, TARGET, Y
MOMENTS = np.array([[0.5, 1.0, 1.5], [1.0, 2.0, 0.5]])

#: Right arguments of each kernel.
ARGUMENTS = {
    "activate": {"z": X, "activation": "tanh"},
    "add": {"total": ROW, "g": ROW + 1},
    "add_noise": {"x": X, "out": 0 * X, "key": 3, "size": 0.5},
    "all_between": {"x": ROW, "low": -2.0, "high": 9.0},
    "clip_norm": {"g": ROW, "most": 0.5},
    "descend": {"w": ROW, "g": ROW, "optimizer": bp.SGD(0.1)},
    "drop": {"x": X, "out": 0 * X, "key": 3, "p": 0.5},
    "elementary": {"name": "exp", "x": ROW, "out": 0 * ROW},
    "fold": {
        "W_folded": 0 * W,
        "b_folded": 0 * B,
        "W": W,
        "shift": B,
        "gain": B + 1,
        "running": np.stack([B, B + 1]),
    },
    "follow": {"running": MOMENTS, "moments": MOMENTS + 1, "n": 4},
    "forward": {"a": A, "W": W, "b": B, "out": 0 * Y},
    "gradient": {"a": A, "delta": DELTA, "dW": 0 * W, "db": 0 * B},
    "limit_norms": {"W": W, "most": 0.5},
    "loss": {
        "z": Y + 1,
        "delta": 0 * Y,
        "name": "squared_error",
        "y": Y,
        "weight": WEIGHTS,
    },
    "normalise": {
        "y": 0 * X,
        "hat": X,
        "inverse": 0 * WEIGHTS,
        "moments": 0 * MOMENTS,
        "gain": ROW + 1,
        "shift": ROW,
        "kind": "batch",
    },
    "normalise_back": {
        "delta": X,
        "dgain": 0 * ROW,
        "dshift": 0 * ROW,
        "hat": X,
        "inverse": WEIGHTS + 2,
        "gain": ROW + 1,
        "kind": "batch",
    },
    "propagate": {"delta": DELTA, "W": W, "a": A, "out": 0 * X},
    "robust_scale": {
        "x": X,
        "centre": ROW,
        "factor": ROW + 2,
        "out": np.zeros(X.shape, "f4"),
    },
    "scale_rows": {"x": X, "scale": ROW, "out": 0 * X},
    "scale_rows_back": {"delta": X, "dscale": 0 * ROW, "x": X, "scale": ROW},
    "times_derivative": {"delta": X, "a": X / 4, "activation": "tanh"},
    "update": {
        "W": W,
        "b": B,
        "a": A,
        "delta": DELTA,
        "optimizer": bp.SGD(0.1, momentum=0.5),
        "state_W": W[None],
        "state_b": B[None],
    },
}
OF_LABELS = {"z": Y, "delta": 0 * Y, "name": "cross_entropy", "labels": LABELS}


def calls():
    """Calls of the kernels: memory that does not fit is refused, not converted."""
    for name, arguments in [*ARGUMENTS.items(), ("loss", OF_LABELS)]:
        for argument, plain in arguments.items():
            if isinstance(plain, np.ndarray):
                run = partial(_kernel, getattr(bp.kernels, name), arguments, argument)
                value = plain.copy()
                run(None, value)  # to find out whether it writes into it
                yield Call(
                    f"kernels.{name}",
                    argument,
                    plain,
                    run,
                    said="",
                    in_place=True,
                    written=value.tobytes() != plain.tobytes(),
                )


def _kernel(function, arguments, argument, _, value):
    """The arrays after a kernel, which gets copies of all but the tried argument."""
    given = {
        name: each.copy() if isinstance(each, np.ndarray) else each
        for name, each in arguments.items()
    }
    given[argument] = value
    result = function(**given)
    return [result, *(each for name, each in given.items() if name != argument)]
