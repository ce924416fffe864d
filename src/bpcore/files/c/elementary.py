"""Elementary functions as C: ``csrc/elementary.h`` for one number at a time."""

from __future__ import annotations

from bpcore.files.c.function import Function

#: By name.
ELEMENTARY: dict[str, Function] = {
    "bits": Function(
        (),
        """
static inline INT NAME_bits(REAL x) {
    union { REAL real; INT integer; } u;
    u.real = x;
    return u.integer;
}
""",
    ),
    "from_bits": Function(
        (),
        """
static inline REAL NAME_from_bits(INT x) {
    union { INT integer; REAL real; } u;
    u.integer = x;
    return u.real;
}
""",
    ),
    "abs": Function(
        ("bits", "from_bits"),
        """
static inline REAL NAME_abs(REAL x) {
    return NAME_from_bits((INT)((UINT)NAME_bits(x) & ~SIGN_BIT));
}
""",
    ),
    "copysign": Function(
        ("bits", "from_bits"),
        """
/* |x| with the sign of y */
static inline REAL NAME_copysign(REAL x, REAL y) {
    return NAME_from_bits((INT)(((UINT)NAME_bits(x) & ~SIGN_BIT) |
                                ((UINT)NAME_bits(y) & SIGN_BIT)));
}
""",
    ),
    "at_most": Function(
        (),
        """
static inline REAL NAME_at_most(REAL x, REAL limit) { return limit < x ? limit : x; }
""",
    ),
    "at_least": Function(
        (),
        """
static inline REAL NAME_at_least(REAL x, REAL limit) { return limit > x ? limit : x; }
""",
    ),
    "polynomial": Function(
        (),
        """
/* c[0] + c[step] x + c[2 step] x^2 + ..., `count` terms */
static inline REAL NAME_horner(const REAL *c, int count, int step, REAL x) {
    REAL sum = c[(count - 1) * step];
    for (int i = count - 2; i >= 0; i--) sum = FMA(sum, x, c[i * step]);
    return sum;
}
/* c[0] + c[1] x + ..., from 8 terms on as even and odd powers */
static inline REAL NAME_polynomial(const REAL *c, int count, REAL x) {
    if (count < 8) return NAME_horner(c, count, 1, x);
    const REAL even = NAME_horner(c, (count + 1) / 2, 2, x * x);
    return FMA(NAME_horner(c + 1, count / 2, 2, x * x), x, even);
}
""",
    ),
    "reduce": Function(
        ("bits",),
        """
/* x = n ln(2) + r;  the low bits of `biased` hold n + bias */
static inline REAL NAME_reduce(REAL x, REAL bias, INT *biased, REAL *n, REAL *r_high) {
    const REAL rounder = ROUNDER + bias;
    const REAL shifted = FMA(x, LOG2_E, rounder);
    *biased = NAME_bits(shifted);
    *n = shifted - rounder;
    *r_high = FMA(*n, -LN2_HIGH, x);
    return FMA(*n, -LN2_LOW, *r_high);
}
""",
    ),
    "exp_in_range": Function(
        ("reduce", "polynomial", "from_bits", "EXP"),
        """
/* e^x = 2^n e^r, with 2^n in two factors */
static inline REAL NAME_exp_in_range(REAL x) {
    INT k;
    REAL n, r_high;
    const REAL r = NAME_reduce(x, EXPONENT_FIELD, &k, &n, &r_high);
    const REAL y = FMA(FMA(POLYNOMIAL(EXP, r), r, 1), r, 1);
    const INT even = 2 * EXPONENT_FIELD;
    const REAL first = NAME_from_bits((k & even) << (MANTISSA_BITS - 1));
    const REAL second = NAME_from_bits(((k - 1) & even) << (MANTISSA_BITS - 1));
    return y * first * second;
}
""",
    ),
    "exp": Function(
        ("exp_in_range", "at_most"),
        """
/* e^x, and 0 where that is subnormal or almost */
static inline REAL NAME_exp(REAL x) {
    if (x < EXP_IS_NORMAL) return 0;
    return NAME_exp_in_range(NAME_at_most(x, EXP_IS_INFINITE));
}
""",
    ),
    "expm1_in_range": Function(
        ("reduce", "polynomial", "from_bits", "EXP"),
        """
/* (e^x - 1) / 2^halvings */
static inline REAL NAME_expm1_in_range(REAL x, int halvings) {
    INT k;
    REAL n, r_high;
    const REAL r = NAME_reduce(x, (REAL)(EXPONENT_BIAS - halvings), &k, &n, &r_high);
    const REAL low = FMA(n, -LN2_LOW, r * r * POLYNOMIAL(EXP, r));
    const REAL power = NAME_from_bits((k & EXPONENT_FIELD) << MANTISSA_BITS);
    const REAL one = halvings ? 0.5r : 1;
    return FMA(power, low, FMA(power, r_high, power - one));
}
""",
    ),
    "expm1": Function(
        ("expm1_in_range", "at_most", "at_least"),
        """
/* e^x - 1 for x <= 0, 0 for x > 0 */
static inline REAL NAME_expm1(REAL x) {
    return NAME_expm1_in_range(
        NAME_at_most(NAME_at_least(x, -2 * TANH_IS_ONE), 0), 0);
}
""",
    ),
    "log1p": Function(
        ("bits", "from_bits", "abs", "polynomial", "LOG"),
        """
/* log(1+x) of x from 0 to 1: log(u) + (x - (u-1)) / u, where u is 1+x rounded */
static inline REAL NAME_log1p(REAL x) {
    const REAL u = 1 + x;
    REAL c = (x - (u - 1)) / u;
    const INT sqrt_half = NAME_bits(SQRT_HALF), offset = NAME_bits(u) - sqrt_half;
    const REAL e = (REAL)(offset >> MANTISSA_BITS);
    const REAL f = NAME_from_bits((offset & MANTISSA_FIELD) + sqrt_half) - 1;
    const REAL s = f / (2 + f), s2 = s * s;
    const REAL half_f2 = 0.5r * f * f;
    c = FMA(e, LN2_LOW, c);
    c = half_f2 - FMA(s, half_f2 + s2 * POLYNOMIAL(LOG, s2), c);
    return u == u ? FMA(e, LN2_HIGH, f - c) : u;
}
""",
    ),
    "normal_cdf": Function(
        ("abs", "at_least", "exp", "polynomial", "NORMAL_CENTRE", "NORMAL_TAIL"),
        """
/* the distribution function of the standard normal distribution */
static inline REAL NAME_normal_cdf(REAL x) {
    const REAL end = NORMAL_END, most = 1.0r / 5, least = 1 / (end + 4);
    const REAL y = NAME_abs(x);
    if (y < 1) return FMA(x, POLYNOMIAL(NORMAL_CENTRE, x * x), 0.5r);
    const REAL v = (1 / (NAME_at_least(y, 1) + 4) - (most + least) * 0.5r) *
                   (2 / (most - least));
    REAL tail = NAME_exp(-0.5r * y * y) * POLYNOMIAL(NORMAL_TAIL, v);
    tail = end < y ? 0 : tail;
    return x < 0 ? tail : 1 - tail;
}
""",
    ),
    "sqrt": Function(
        ("bits", "from_bits"),
        """
/* the square root, correctly rounded, bit by bit */
static inline REAL NAME_sqrt(REAL x) {
    if (!(x > 0) || NAME_bits(x) == INFINITE) return x < 0 ? x - x : x;
    int exponent = 0;
    if (x < LEAST_NORMAL)
        x *= (REAL)((INT)1 << MANTISSA_BITS), exponent = -MANTISSA_BITS;
    exponent += (int)(NAME_bits(x) >> MANTISSA_BITS) - EXPONENT_BIAS;
    UINT rest = ((UINT)NAME_bits(x) & MANTISSA_FIELD) | ((UINT)1 << MANTISSA_BITS);
    if (exponent & 1) rest += rest, exponent -= 1; /* of the mantissa, 1 <= m < 4 */
    UINT root = 0, twice = 0;
    rest += rest; /* root: the mantissa's root with one bit more, below it `rest` */
    for (UINT bit = (UINT)1 << (MANTISSA_BITS + 1); bit; bit >>= 1) {
        const UINT tried = twice + bit;
        if (tried <= rest) twice = tried + bit, rest -= tried, root += bit;
        rest += rest;
    }
    root = (root >> 1) + (root & 1);
    return NAME_from_bits((INT)root + ((INT)(exponent / 2 + EXPONENT_BIAS - 1)
                                       << MANTISSA_BITS));
}
""",
    ),
}
