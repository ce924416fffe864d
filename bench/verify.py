"""Nothing is timed that does not agree with the reference.

The oracle is the reference in float64, on the same numbers. Weights are compared by how
they *moved*: a small learning rate leaves even those of a step that does nothing close
to the right ones.
"""

from dataclasses import replace

import numpy as np

from .peers import reference

#: Momentum shows from the second step on; more let the movement outgrow its rounding.
STEPS = 5

#: Largest error of a result, relative to its norm; peers show a hundredth of it.
RESULT = {"float32": 1e-5, "float64": 1e-13}

#: The same for the movement of weights, which is some thousand times smaller than the
#: weights and loses as many digits to their rounding. A learning rate or a momentum
#: that is wrong by one per cent shows as 7e-3 and more.
MOVEMENT = {"float32": 2e-3, "float64": 1e-9}


def training(case, oracle=reference.Peer, steps=STEPS):
    """A function that trains a peer for a few steps and tells how far it strayed.

    Parameters
    ----------
    case : Case
    oracle : callable
        Makes the peer that is right, from the case in float64.
    steps : int
        How often each peer's `step` is called.
    """
    expected = _movement(oracle(_exact(case)), case, steps)

    def error(peer):
        return largest_error(_movement(peer, case, steps), expected)

    return error


def prediction(case):
    """A function that tells how far off the predictions of a peer are."""
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
    """What a few steps added to each parameter."""
    for _ in range(steps):
        peer.step()
    return [
        np.subtract(after, before, dtype=np.float64)
        for after, before in zip(peer.parameters(), case.parameters, strict=True)
    ]


def largest_error(results, expected):
    """Error relative to the norm of what was expected; NaN if any is not a number."""
    errors = [
        np.linalg.norm(got - right) / np.linalg.norm(right)
        for got, right in zip(results, expected, strict=True)
    ]
    return float(np.max(errors))
