"""Activations by name: formulas, and the default initialiser of their layers.

The arithmetic is in the kernels (``csrc/activations.h``) and in NumPy in
``reference.activations``.  Derivatives are in terms of the output a = f(z) where
possible, so that z need not be stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Activation:
    """One activation function.

    Attributes
    ----------
    name : str
    formula, derivative : str
        f(z), and f'(z) in terms of a = f(z) or, if `needs_z`, of z; for softmax
        da_j/dz_k of units j and k.  Other functions in them are defined after a comma:
        "z sigmoid(z), sigmoid(z) = 1 / (1 + exp(-z))".
    init : str
        The initialiser of the layer's weights with ``init="auto"``.
    source : str
        Paper or function with the same definition, if no textbook has it.
    needs_z : bool
        Whether the derivative is in terms of z.
    trains : bool
        Whether the derivative is not 0 everywhere, so that training works.
    """

    name: str
    formula: str
    derivative: str
    init: str = "he_uniform"
    source: str = ""
    needs_z: bool = False
    trains: bool = True

    def derivative_of(self, output: str) -> str:
        """`derivative` with another name for a = f(z).

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.ACTIVATIONS["tanh"].derivative, bp.ACTIVATIONS["tanh"].derivative_of("f")
        ('1 - a^2', '1 - f^2')
        """
        return re.sub(r"(?<![A-Za-z])a(?![A-Za-z])", output, self.derivative)


#: Every activation by name.
ACTIVATIONS: dict[str, Activation] = {
    activation.name: activation
    for activation in (
        Activation("identity", "z", "1", "glorot_uniform"),
        Activation("sigmoid", "1 / (1 + exp(-z))", "a (1 - a)", "glorot_uniform"),
        Activation("tanh", "tanh(z)", "1 - a^2", "glorot_uniform"),
        Activation("relu", "max(0, z)", "1 where a > 0, else 0"),
        Activation(
            "softmax",
            "exp(z_j) / sum_k exp(z_k)",
            "a_j ([j = k] - a_k)",
            "glorot_uniform",
        ),
        Activation(
            "leaky_relu",
            "z where z >= 0, else 0.01 z",
            "1 where a > 0, else 0.01",
            source="Maas, Hannun and Ng (2013); torch.nn.LeakyReLU",
        ),
        Activation(
            "elu",
            "z where z > 0, else exp(z) - 1",
            "1 where a > 0, else a + 1",
            source="Clevert, Unterthiner and Hochreiter (2016); torch.nn.ELU",
        ),
        Activation(
            "selu",
            "1.0507 z where z > 0, else 1.7581 (exp(z) - 1)",
            "1.0507 where a > 0, else a + 1.7581",
            "lecun_normal",
            source="Klambauer et al. (2017); torch.nn.SELU",
        ),
        Activation(
            "gelu",
            "z Phi(z), Phi(z) = (1 + erf(z / sqrt(2))) / 2",
            "Phi(z) + z exp(-z^2 / 2) / sqrt(2 pi)",
            source="Hendrycks and Gimpel (2016); torch.nn.GELU",
            needs_z=True,
        ),
        Activation(
            "gelu_tanh",
            "z (1 + G(z)) / 2, G(z) = tanh(sqrt(2 / pi) (z + 0.044715 z^3))",
            "(1 + G(z)) / 2 + z (1 - G(z)^2) sqrt(2 / pi) (1 + 0.134145 z^2) / 2",
            source="Hendrycks and Gimpel (2016); torch.nn.GELU(approximate='tanh')",
            needs_z=True,
        ),
        Activation(
            "silu",
            "z sigmoid(z), sigmoid(z) = 1 / (1 + exp(-z))",
            "sigmoid(z) (1 + z (1 - sigmoid(z)))",
            source="Elfwing, Uchibe and Doya (2018); torch.nn.SiLU",
            needs_z=True,
        ),
        Activation(
            "mish",
            "z T(z), T(z) = tanh(log(1 + exp(z)))",
            "T(z) + z (1 - T(z)^2) / (1 + exp(-z))",
            source="Misra (2019); torch.nn.Mish",
            needs_z=True,
        ),
        Activation(
            "softplus",
            "log(1 + exp(z))",
            "1 - exp(-a)",
            source="Dugas et al. (2001); torch.nn.Softplus",
        ),
        Activation(
            "softsign",
            "z / (1 + |z|)",
            "(1 - |a|)^2",
            "glorot_uniform",
            source="torch.nn.Softsign",
        ),
        Activation(
            "hard_sigmoid",
            "min(max((z + 3) / 6, 0), 1)",
            "1 / 6 where 0 < a < 1, else 0",
            "glorot_uniform",
            source="torch.nn.Hardsigmoid",
        ),
        Activation(
            "hard_tanh",
            "min(max(z, -1), 1)",
            "1 where -1 < a < 1, else 0",
            "glorot_uniform",
            source="torch.nn.Hardtanh",
        ),
        Activation("exp", "exp(z)", "a", "glorot_uniform"),
        Activation(
            "step",
            "1 where z > 0, else 0",
            "0: forward only",
            "glorot_uniform",
            source="Rosenblatt (1958)",
            trains=False,
        ),
    )
}
