"""Activations by name: what each computes and how its layer is best initialised.

The arithmetic is in the kernels (``csrc/activations.h``) and, readable, in
``reference``; derivatives are written in terms of the output a = f(z), so that no z
need be kept.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes
    ----------
    name : str
    formula, derivative : str
        f(z), and f'(z) in terms of a = f(z).
    init : str
        The initialiser of the weights that lead into it, chosen by ``init="auto"``.
    """

    name: str
    formula: str
    derivative: str
    init: str


#: Every activation by name.
ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("identity", "z", "1", "glorot_uniform"),
        Activation("sigmoid", "1 / (1 + exp(-z))", "a (1 - a)", "glorot_uniform"),
        Activation("tanh", "tanh(z)", "1 - a^2", "glorot_uniform"),
        Activation("relu", "max(0, z)", "1 where a > 0, else 0", "he_uniform"),
        Activation(
            "softmax",
            "exp(z_j) / sum_k exp(z_k)",
            "a_j ([j = k] - a_k), a matrix",
            "glorot_uniform",
        ),
    )
}
