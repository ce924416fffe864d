"""Are the gradients right?  Backpropagation against central differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import _validation as door
from bpcore._validation import ClassWeight
from bpcore.network import Network


@dataclass(frozen=True)
class GradientCheck:
    """How far gradients are from central differences.

    Attributes
    ----------
    errors : dict of str to float
        For W[0], b[0], gain[0], ... and X: the largest difference of an element,
        relative to the largest element of the array.
    zero : tuple of str
        The arrays whose gradient is zero throughout, of which the check says nothing.
    """

    errors: dict[str, float]
    zero: tuple[str, ...]

    @property
    def largest(self) -> float:
        """The largest of the errors."""
        return max(self.errors.values())

    def __repr__(self) -> str:
        lines = [f"{name:>8}  {error:.1e}" for name, error in self.errors.items()]
        lines += [f"{name:>8}  zero throughout: nothing checked" for name in self.zero]
        return "\n".join(["relative error of the gradients", *lines])


def central_differences(f: Any, x: NDArray[Any], step: float) -> NDArray[np.float64]:
    """(f(x + h e) - f(x - h e)) / 2h for each element, with h = step max(1, |x_i|)."""
    derivative = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        kept = float(x[i])
        above = kept + step * max(1.0, abs(kept))
        below = kept - step * max(1.0, abs(kept))
        x[i] = above
        f_above = f()
        x[i] = below
        f_below = f()
        x[i] = kept
        derivative[i] = (f_above - f_below) / (above - below)
    return derivative


def check_gradients(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    *,
    step: float = 1e-6,
) -> GradientCheck:
    """Compare a network's gradients with central differences of its loss.

    The loss is that of the next training step: with what drops out in it, its noise and
    its mini-batch's moments.

    Parameters
    ----------
    network : Network
        Left as it is; the differences are taken in a float64 copy of it.
    X, y, sample_weight, class_weight
        One mini-batch, as for ``Network.train_step``; each parameter costs two
        evaluations of it.
    step : float
        h of a central difference, for parameters of size 1 or less; relative above.

    Returns
    -------
    GradientCheck
        The relative error of every parameter array and of the input's gradient.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> net = bp.Network([3, 4, 2], activation="tanh", dtype="float64", rng=0)
    >>> check = bp.check_gradients(net, np.eye(3), [[1.0, 0.0]] * 3)
    >>> check.largest < 1e-6, check.zero
    (True, ())
    """
    door.instance("network", network, Network)
    step = door.real_number("step", step, above_zero=True)
    given = y, sample_weight, class_weight
    gradients = network.gradients(X, *given)
    twin = network.astype("float64")
    rows = np.array(X, dtype=np.float64)
    as_in_use = not (twin._design.random or "batch" in twin.norms)

    def loss() -> float:
        if as_in_use:
            return float(twin.evaluate(rows, *given))
        of_training = twin.gradients(rows, *given).loss
        assert of_training is not None
        return of_training

    pairs = {}
    for l, (W, b) in enumerate(zip(twin.weights, twin.biases, strict=True)):
        pairs[f"W[{l}]"] = gradients.weights[l], central_differences(loss, W, step)
        pairs[f"b[{l}]"] = gradients.biases[l], central_differences(loss, b, step)
        if (gain := twin.gains[l]) is not None:
            of_gain = gradients.gains[l]
            assert of_gain is not None
            pairs[f"gain[{l}]"] = of_gain, central_differences(loss, gain, step)
    pairs["X"] = gradients.input, central_differences(loss, rows, step)
    errors, zero = {}, []
    for name, (exact, numerical) in pairs.items():
        scale = max(np.abs(exact).max(), np.abs(numerical).max())
        if scale == 0:
            zero.append(name)
            continue
        errors[name] = float(np.abs(exact - numerical).max() / scale)
    return GradientCheck(errors or {"nothing": 0.0}, tuple(zero))
