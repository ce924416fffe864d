"""Tapes, gradients and derivatives that backward and apply refuse."""

import math
from dataclasses import replace

import numpy as np
import pytest

import bpcore as bp
from helpers.bad_input import (
    LABELS,
    TARGET_SHAPE,
    TARGETS,
    X,
    assert_refused,
    message,
    small,
    spoilt,
    table,
)


def with_flat(flat):
    return replace(bp.Network([3, 4, 2], rng=0).gradients(X, TARGETS), flat=flat)


def tape_of(Network, *shapes):
    """Arrays of these shapes in place of what a forward pass computed."""
    tape = Network([3, 4, 2], rng=0).forward(X)
    return replace(tape, activations=tuple(np.zeros(n, "float32") for n in shapes))


def with_memory_of(Network, X_of_memory, dtype):
    """The tape of X, with the memory of that of other rows."""
    net = Network([3, 4, 2], rng=0)
    memory = net.forward(X_of_memory).memory.view(dtype)
    return replace(net.forward(X), memory=memory)


def with_input(Network, change):
    """A tape with another array for a[0]: the kernels read it."""
    tape = Network([3, 4, 2], rng=0).forward(X)
    return replace(tape, activations=(change(tape), *tape.activations[1:]))


LIKE_THIS = (ValueError, "of a network like this one")
BAD_TAPES = {
    "text": (lambda _: "tape", TypeError, "a Tape", "str"),
    "None": (lambda _: None, TypeError, "a Tape", "NoneType"),
    "bare output": (lambda _: TARGETS, TypeError, "a Tape", "ndarray"),
    "wider": (lambda N: N([3, 5, 2]).forward(X), *LIKE_THIS, r"\(6, 5\)"),
    "narrower": (lambda N: N([3, 2, 2]).forward(X), *LIKE_THIS, r"\(6, 2\), \(6, 2"),
    "deeper": (lambda N: N([3, 4, 4, 2]).forward(X), *LIKE_THIS, r"4\), \(6, 4"),
    "other dtype": (
        lambda N: N([3, 4, 2], dtype="float64").forward(X),
        *(ValueError, "dtype float32", "float64"),
    ),
    "too short": (lambda N: tape_of(N, (6, 3)), *LIKE_THIS, r"\(6, 3\)"),
    # The kernels would read past the end of an activation of fewer rows.
    "rows that differ": (
        lambda N: tape_of(N, (6, 3), (2, 4), (6, 2)),
        *(*LIKE_THIS, r"\(2, 4\)"),
    ),
    "single rows": (lambda N: tape_of(N, (3,), (4,), (2,)), *LIKE_THIS, r"\(3,\)"),
    "fewer rows": (lambda N: with_memory_of(N, X[:2], "u1"), *LIKE_THIS, ""),
    "more rows": (lambda N: with_memory_of(N, np.ones((99, 3)), "u1"), *LIKE_THIS, ""),
    "memory of floats": (lambda N: with_memory_of(N, X, "f4"), *LIKE_THIS, ""),
    "no memory": (
        lambda N: replace(N([3, 4, 2], rng=0).forward(X), memory=None),
        *(*LIKE_THIS, ""),
    ),
    "no activations": (
        lambda N: replace(N([3, 4, 2], rng=0).forward(X), activations=()),
        *(*LIKE_THIS, ""),
    ),
    "input of half the bytes": (
        lambda N: with_input(N, lambda tape: X.astype("f2")),
        *(ValueError, "dtype float32", "float16"),
    ),
    "input as a list": (
        lambda N: with_input(N, lambda tape: X.astype("f8").tolist()),
        *(ValueError, "dtype float32", "float64"),
    ),
    "input with gaps": (
        lambda N: with_input(N, lambda tape: np.zeros((6, 6), "f4")[:, ::2]),
        *(*LIKE_THIS, ""),
    ),
}
BAD_D_OUTPUT = {
    "too short": (TARGETS[:5], ValueError, TARGET_SHAPE, r"\(5, 2\)"),
    "too wide": (X, ValueError, r"shape \(n, 2\)", r"\(6, 3\)"),
    "flat": (np.zeros(12), ValueError, r"shape \(n, 2\)", r"\(12,\)"),
    "number": (1.0, ValueError, r"shape \(n, 2\)", r"\(\)"),
    "nan": (spoilt(TARGETS, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "text": ([["a", "b"]], TypeError, "real numbers", "<U1"),
    "object": (
        spoilt(TARGETS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
}
N_PARAMETERS = 3 * 4 + 4 + 4 * 2 + 2
BAD_GRADIENTS = {
    "None": (None, TypeError, "Gradients", "NoneType"),
    "array": (np.zeros(N_PARAMETERS), TypeError, "Gradients", "ndarray"),
    "too few": (with_flat(np.zeros(25)), ValueError, r"shape \(26,\)", r"\(25,\)"),
    "nan": (
        with_flat(np.full(N_PARAMETERS, np.nan)),
        *(ValueError, "finite", r"nan at \[0\]"),
    ),
    "text": (with_flat("flat"), TypeError, "real numbers", "<U4|str"),
    "complex": (with_flat(np.zeros(26, complex)), TypeError, "real", "complex128"),
}
BAD_STEPS = [
    (0, ValueError, "above 0", "0"),
    (-1e-6, ValueError, "above 0", "-1e-06"),
    (math.nan, ValueError, "above 0", "nan"),
    (math.inf, ValueError, "finite", "inf"),
    ("1e-6", TypeError, "number", "'1e-6'"),
    (None, TypeError, "number", "None"),
]


@table(BAD_TAPES)
def test_bad_tape(Network, bad, error, expected, got):
    net, bad = small(Network), bad(Network)
    call = net.backward
    assert_refused(net, lambda: call(bad, TARGETS), "tape", error, expected, got, bad)


@pytest.mark.parametrize(
    "settings", [{"activation": "gelu"}, {"norm": "batch"}, {"dropout": 0.5}], ids=str
)
def test_a_tape_that_holds_something_else(settings):
    # The kernels would read at places where its memory has other things.
    net = small(bp.Network, activation="tanh")
    tape = bp.Network([3, 4, 2], **{"activation": "tanh", **settings}).forward(X)
    row = ("tape", *LIKE_THIS, "")
    assert_refused(net, lambda: net.backward(tape, TARGETS), *row, tape)


@table(BAD_D_OUTPUT)
def test_bad_d_output(Network, bad, error, expected, got):
    net = small(Network)
    tape = net.forward(X)
    row = ("d_output", error, expected, got)
    assert_refused(net, lambda: net.backward(tape, bad), *row, tape, bad)


@table(BAD_GRADIENTS)
def test_bad_gradients(Network, bad, error, expected, got):
    net = small(Network)
    call = net.apply
    assert_refused(net, lambda: call(bad), "gradients", error, expected, got, bad)


@pytest.mark.parametrize("step, error, expected, got", BAD_STEPS)
def test_bad_step_of_check_gradients(Network, step, error, expected, got):
    net = small(Network)
    assert_refused(
        net,
        lambda: bp.check_gradients(net, X, LABELS, step=step),
        *("step", error, expected, got),
    )


def test_check_gradients_wants_a_network():
    with pytest.raises(TypeError, match=message("network", "Network", "NoneType")):
        bp.check_gradients(None, X, LABELS)
