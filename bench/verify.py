"""Comparison with the reference: only what agrees with it is timed.

The oracle is the reference in float64, on the same numbers. Of weights, the *changes*
are compared: with a small learning rate the weights would be nearly right even if a
step did nothing.
"""

from dataclasses import replace

import numpy as np

from .peers import reference

#: Momentum has an effect from the second step on; more steps reduce relative rounding.
STEPS = 5

#: Largest error of a result, relative to its norm; peers have a hundredth of it.
RESULT = {"float32": 1e-5, "float64": 1e-13}

#: The same for changes of weights, which are about a thousand times smaller than the
#: weights and have three digits less. A learning rate or momentum that is wrong by one
#: per cent gives an error of 7e-3 or more.
MOVEMENT = {"float32": 2e-3, "float64": 1e-9}


def training(case, oracle=reference.Peer, steps=STEPS):
    """A function that trains a peer for a few steps and returns its error.

    Parameters
    ----------
    case : Case
    oracle : callable
        Makes the reference peer from the case in float64.
    steps : int
        Calls of each peer's `step`.
    """
    expected = _movement(oracle(_exact(case)), case, steps)

    def error(peer):
        return largest_error(_movement(peer, case, steps), expected)

    return error


def prediction(case):
    """A function that returns the error of a peer's predictions."""
    expected = reference.Peer(_exact(case)).predict()

    def error(peer):
        return largest_error([np.asarray(peer.predict())], [expected])

    return error


def same_bits(peer, other):
    """Whether two peers have exactly the same parameters."""
    pairs = zip(peer.parameters(), other.parameters(), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


def _exact(case):
    return replace(case, dtype="float64")


def _movement(peer, case, steps):
    """The changes of each parameter in a few steps."""
    for _ in range(steps):
        peer.step()
    return [
        np.subtract(after, before, dtype=np.float64)
        for after, before in zip(peer.parameters(), case.parameters, strict=True)
    ]


def largest_error(results, expected):
    """Largest error relative to the norm of the expected array; NaN if any is NaN."""
    errors = [
        np.linalg.norm(got - right) / np.linalg.norm(right)
        for got, right in zip(results, expected, strict=True)
    ]
    return float(np.max(errors))
