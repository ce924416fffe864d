"""Activations as C: ``csrc/activations.h`` for one number at a time."""

from __future__ import annotations

from bpcore.files.c.function import Function

#: By name.
ACTIVATIONS: dict[str, Function] = {
    "sigmoid": Function(
        ("abs", "at_most", "exp_in_range"),
        """
/* 1 / (1 + e^-x), and 0 where that is subnormal or almost */
static inline REAL NAME_sigmoid(REAL x) {
    const REAL y = NAME_exp_in_range(-NAME_at_most(NAME_abs(x), -(EXP_IS_NORMAL)));
    const REAL w = x < 0 ? y : 1;
    return x < EXP_IS_NORMAL ? 0 : FMA(-w, y / (1 + y), w);
}
""",
    ),
    "tanh": Function(
        ("abs", "at_most", "copysign", "expm1_in_range"),
        """
static inline REAL NAME_tanh(REAL x) {
    const REAL y = NAME_at_most(NAME_abs(x), TANH_IS_ONE);
    const REAL h = NAME_expm1_in_range(y + y, 1), w = NAME_at_most(h, 1);
    return NAME_copysign(FMA(-w, w / (1 + h), w), x);
}
""",
    ),
    "relu": Function(
        (),
        """
static inline REAL NAME_relu(REAL z) { return 0 > z ? 0 : z; }
""",
    ),
    "leaky_relu": Function(
        (),
        """
static inline REAL NAME_leaky_relu(REAL z) { return z < 0 ? 0.01r * z : z; }
""",
    ),
    "elu": Function(
        ("expm1",),
        """
static inline REAL NAME_elu(REAL z) { return 0 < z ? z : NAME_expm1(z); }
""",
    ),
    "selu": Function(
        ("expm1",),
        """
static inline REAL NAME_selu(REAL z) {
    return 0 < z ? 1.0507009873554804934193349852946r * z
                 : 1.7580993408473768599402175208123r * NAME_expm1(z);
}
""",
    ),
    "gelu": Function(
        ("at_least", "normal_cdf"),
        """
static inline REAL NAME_gelu(REAL z) {
    return NAME_at_least(z, -1000) * NAME_normal_cdf(z);
}
""",
    ),
    "gelu_tanh": Function(
        ("at_least", "tanh"),
        """
static inline REAL NAME_gelu_tanh(REAL z) {
    const REAL cubic = FMA(0.044715r * z, z, 1);
    const REAL inner = 0.79788456080286535588r * z * cubic;
    return 0.5r * NAME_at_least(z, -1000) * (1 + NAME_tanh(inner));
}
""",
    ),
    "silu": Function(
        ("at_least", "sigmoid"),
        """
static inline REAL NAME_silu(REAL z) {
    return NAME_at_least(z, -1000) * NAME_sigmoid(z);
}
""",
    ),
    "mish": Function(
        ("abs", "at_least", "exp"),
        """
/* z tanh(log(1 + e^z)) = z n / d */
static inline REAL NAME_mish(REAL z) {
    const REAL e = NAME_exp(-NAME_abs(z));
    const REAL u = z < 0 ? e : 1, v = z < 0 ? 1 : e;
    const REAL n = u * (u + 2 * v), d = FMA(2 * v, v, n);
    return NAME_at_least(z, -1000) * (n / d);
}
""",
    ),
    "softplus": Function(
        ("abs", "exp", "log1p", "relu"),
        """
/* log(1 + e^z) */
static inline REAL NAME_softplus(REAL z) {
    return NAME_relu(z) + NAME_log1p(NAME_exp(-NAME_abs(z)));
}
""",
    ),
    "softsign": Function(
        ("abs", "at_most", "at_least"),
        """
static inline REAL NAME_softsign(REAL z) {
    z = NAME_at_most(NAME_at_least(z, -LARGEST), LARGEST);
    return z / (1 + NAME_abs(z));
}
""",
    ),
    "hard_sigmoid": Function(
        ("at_most", "at_least"),
        """
static inline REAL NAME_hard_sigmoid(REAL z) {
    return NAME_at_most(NAME_at_least((z + 3) / 6, 0), 1);
}
""",
    ),
    "hard_tanh": Function(
        ("at_most", "at_least"),
        """
static inline REAL NAME_hard_tanh(REAL z) {
    return NAME_at_most(NAME_at_least(z, -1), 1);
}
""",
    ),
    "step": Function(
        (),
        """
static inline REAL NAME_step(REAL z) { return 0 < z ? 1 : z == z ? 0 : z; }
""",
    ),
}
