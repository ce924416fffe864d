/* Elementary functions of the library's own: exp, expm1, log, log1p, tanh, sigmoid and
 * others.  libm is never used, so that every build with a fused multiply-add gives the
 * same bits (except NaN payloads).
 *
 * Largest errors found, in ulp, x86_64_v2 in brackets (float32: every input; float64:
 * 16 million, random and near the critical points, against 113 and 64 bit libraries):
 *
 *               exp          log          log1p        tanh         sigmoid
 *     float32   0.92 (1.20)  0.84 (0.84)  0.84 (0.87)  1.75 (1.81)  1.65 (1.98)
 *     float64   0.93 (1.23)  0.84 (0.84)  0.83 (0.84)  1.77 (1.90)  1.67 (1.92)
 *
 * The coefficients are Remez fits in 50-digit arithmetic, rounded to REAL one by one
 * with the rest fitted again: EXP to (e^r - 1 - r) / r^2 relative to e^r - 1 on
 * |r| <= ln(2)/2, LOG_COSH (Chebyshev nodes) to (log(cosh(d)) / x - 1/2) / x on
 * x = d^2 <= 1, LOG to ((log(1+s) - log(1-s)) / s - 2) / s^2 relative to the
 * logarithm on |s| <= 3 - sqrt(8), which is where (1+s) / (1-s) is in
 * [sqrt(1/2), sqrt(2)].  LN2_HIGH ends in enough zeros for n LN2_HIGH to be exact. */

#if REAL_BITS == 32
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define LEAST_NORMAL 0x1p-126f
#define EXP_IS_ZERO -104.0f
#define EXP_IS_NORMAL -87.0f
#define EXP_IS_INFINITE 89.0f
#define TANH_IS_ONE 10.0f
#define NORMAL_TAIL_END 8
#define LOG2_E 0x1.715476p+0f
#define LN2_HIGH 0x1.62e4p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define SQRT_HALF 0x1.6a09e6p-1f
static const float T(EXP)[] = { /* error 2^-26.1 */
    0x1.fffffep-2f, 0x1.5554aap-3f, 0x1.55579ep-5f, 0x1.122c7ap-7f, 0x1.6ab0a8p-10f};
static const float T(LOG)[] = { /* error 2^-30.2 */
    0x1.55557ap-1f, 0x1.995ed4p-2f, 0x1.31e0dap-2f};
static const float T(LOG_COSH)[] = { /* error 2^-26.6 */
    -0x1.555554p-4f, 0x1.6c1638p-6f, -0x1.b9f8a6p-8f, 0x1.1cf218p-9f, -0x1.6e7536p-11f,
    0x1.908d18p-13f, -0x1.f70bc6p-16f};
static const float T(NORMAL_CENTRE)[] = { /* error 2^-31.8 */
    0x1.988454p-2f, -0x1.105832p-4f, 0x1.46ce58p-7f, -0x1.36fe32p-10f, 0x1.dc102ap-14f,
    -0x1.010b86p-17f};
static const float T(NORMAL_TAIL)[] = { /* error 2^-28.7 */
    0x1.e98f80p-4f, 0x1.8d0110p-4f, 0x1.174dc6p-5f, 0x1.2ab3e0p-7f, 0x1.c72ca6p-10f,
    0x1.90af5ep-13f, -0x1.2d972cp-19f, -0x1.f1bf1cp-19f};
#else
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define LEAST_NORMAL 0x1p-1022
#define EXP_IS_ZERO -746.0
#define EXP_IS_NORMAL -708.0
#define EXP_IS_INFINITE 710.0
#define TANH_IS_ONE 20.0
#define NORMAL_TAIL_END 10
#define LOG2_E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa38p-1
#define LN2_LOW 0x1.ef35793c7673p-45
#define SQRT_HALF 0x1.6a09e667f3bcdp-1
static const double T(EXP)[] = { /* error 2^-55.6 */
    0x1.0000000000005p-1,  0x1.555555555554fp-3,  0x1.5555555552276p-5,
    0x1.1111111114e2ep-7,  0x1.6c16c17ec695p-10,  0x1.a01a0186c5132p-13,
    0x1.a019a7d2d1835p-16, 0x1.71de676c51eap-19,  0x1.28a1718c517d3p-22,
    0x1.ae97468694ddcp-26};
static const double T(LOG)[] = { /* error 2^-59.5 */
    0x1.5555555555592p-1, 0x1.999999997fefp-2,  0x1.24924941e50dcp-2,
    0x1.c71c521069a85p-3, 0x1.74663de0337f6p-3, 0x1.39a1cd0b09648p-3,
    0x1.2f04ef107449dp-3};
static const double T(LOG_COSH)[] = { /* error 2^-56.6 */
    -0x1.5555555555555p-4,  0x1.6c16c16c16b21p-6,  -0x1.ba1ba1ba09a16p-8,
    0x1.1ea5d397a0770p-9,   -0x1.833d9b79192fcp-11, 0x1.0d0b3f8ca0cdcp-12,
    -0x1.7da187717a8cfp-14, 0x1.12e912c66a9d6p-15, -0x1.906e7ed5ed8e2p-17,
    0x1.2440217d803f8p-18,  -0x1.a1307ba3b2516p-20, 0x1.1319bfc4f54a1p-21,
    -0x1.2e63935c5c381p-23, 0x1.d553b8d753753p-26, -0x1.7199d3332b32fp-29};
static const double T(NORMAL_CENTRE)[] = { /* error 2^-70.1 */
    0x1.9884533d43651p-2, -0x1.1058377e2cee0p-4, 0x1.46d04297691d4p-7,
    -0x1.37403f6ba0d60p-10, 0x1.e42b0d51f3f57p-14, -0x1.3ce8fabb1fde9p-17,
    0x1.658a200e25bcbp-21, -0x1.6222345fe68b2p-25, 0x1.387357c6c19afp-29,
    -0x1.f051d420e8c74p-34, 0x1.600ea373c4e0ap-38, -0x1.7c10618be2eb5p-43};
static const double T(NORMAL_TAIL)[] = { /* error 2^-61.2 */
    0x1.c2771058d93d0p-4, 0x1.975bce695ce35p-4, 0x1.388250e94f179p-5,
    0x1.71960ca2d4e4ep-7, 0x1.3cc05ffe37a6fp-9, 0x1.46408dd0cf04cp-12,
    0x1.b780f75bfef9ap-20, -0x1.e0e13678e22a6p-18, -0x1.781f926402b42p-21,
    0x1.6dcaaa42ce170p-23, 0x1.f194295c0b66dp-26, -0x1.826d8c211d44fp-28,
    -0x1.1abbf734c691fp-30, 0x1.162184b31ef2dp-32, 0x1.0f0f275e66271p-35,
    -0x1.c2e9e103820fcp-37, -0x1.1b541d2f8a746p-41, 0x1.2cc55d76ccadfp-41};
#endif

#define EXPONENT_FIELD (2 * EXPONENT_BIAS + 1) /* all ones */
#define MANTISSA_FIELD (((INT)1 << MANTISSA_BITS) - 1)
/* Adding this number rounds to an integer, which is then in the low bits. */
#define ROUNDER ((REAL)((INT)3 << (MANTISSA_BITS - 1)))
#define POLYNOMIAL(c, x) T(polynomial)(c, (int)(sizeof(c) / sizeof(REAL)), x)

/* c[0] + c[step] x + c[2 step] x^2 + ..., `count` terms */
static inline T(vec) T(horner)(const REAL *c, int count, int step, T(vec) x) {
    T(vec) sum = T(broadcast)(c[(count - 1) * step]);
    for (int i = count - 2; i >= 0; i--)
        sum = T(fma)(sum, x, T(broadcast)(c[i * step]));
    return sum;
}

/* c[0] + c[1] x + c[2] x^2 + ..., from 8 terms on as two shorter chains, of even and
 * odd powers: 7 % faster for the 10 terms of tanh in float64, slower for the 5 in
 * float32. */
static inline T(vec) T(polynomial)(const REAL *c, int count, T(vec) x) {
    if (count < 8) return T(horner)(c, count, 1, x);
    T(vec) even = T(horner)(c, (count + 1) / 2, 2, x * x);
    return T(fma)(T(horner)(c + 1, count / 2, 2, x * x), x, even);
}

/* min(x, limit) and max(x, limit); NaN stays NaN */
static inline T(vec) T(at_most)(T(vec) x, REAL limit) {
    return T(min)(T(broadcast)(limit), x);
}
static inline T(vec) T(at_least)(T(vec) x, REAL limit) {
    return T(max)(T(broadcast)(limit), x);
}

/* x = n ln(2) + r with an integer n and |r| <= ln(2)/2; r_high - n LN2_LOW is r before
 * rounding.  The low bits of `biased` hold n + bias, or anything where x is NaN. */
static inline T(vec) T(reduce)(T(ivec) *biased, T(vec) *n, T(vec) *r_high, T(vec) x,
                               int bias) {
    T(vec) rounder = T(broadcast)(ROUNDER + (REAL)bias);
    T(vec) shifted = T(fma)(x, T(broadcast)(LOG2_E), rounder);
    *biased = T(bits)(shifted);
    *n = shifted - rounder;
    *r_high = T(fma)(*n, T(broadcast)(-LN2_HIGH), x);
    return T(fma)(*n, T(broadcast)(-LN2_LOW), *r_high);
}

/* e^x = 2^n e^r for EXP_IS_ZERO <= x <= EXP_IS_INFINITE, NaN for NaN.  2^n is applied
 * in two factors, so that only the last product overflows or is rounded: k is
 * n + 2 EXPONENT_BIAS + 1, their exponent fields are k / 2 and (k - 1) / 2. */
static inline T(vec) T(exp_in_range)(T(vec) x) {
    T(ivec) k, even = T(broadcast_int)(2 * EXPONENT_FIELD);
    T(vec) n, r_high, r = T(reduce)(&k, &n, &r_high, x, EXPONENT_FIELD);
    T(vec) one = T(broadcast)(1);
    T(vec) y = T(fma)(T(fma)(POLYNOMIAL(T(EXP), r), r, one), r, one);
    T(vec) first = T(from_bits)((k & even) << (MANTISSA_BITS - 1));
    T(vec) second = T(from_bits)(((k - 1) & even) << (MANTISSA_BITS - 1));
    return y * first * second;
}

/* x, with subnormal numbers replaced by 0: arithmetic with them can take a processor a
 * hundred times as long. */
static inline T(vec) T(flush)(T(vec) x) {
    const T(ivec) tiny = T(less)(T(abs)(x), T(broadcast)(LEAST_NORMAL));
    return T(from_bits)(~tiny & T(bits)(x));
}

/* e^x */
static inline T(vec) T(exp)(T(vec) x) {
    return T(exp_in_range)(T(at_most)(T(at_least)(x, EXP_IS_ZERO), EXP_IS_INFINITE));
}

/* e^x, and 0 for x < least */
static inline T(vec) T(exp_from)(T(vec) least, T(vec) x) {
    const T(vec) y = T(exp_in_range)(T(at_most)(T(max)(least, x), EXP_IS_INFINITE));
    return T(from_bits)(~T(less)(x, least) & T(bits)(y));
}

/* e^x, and 0 where that is subnormal or almost */
static inline T(vec) T(normal_exp)(T(vec) x) {
    return T(exp_from)(T(broadcast)(EXP_IS_NORMAL), x);
}

/* log(u) + c = e ln(2) + log(1+f) + c, where u = 2^e (1+f), sqrt(1/2) <= 1+f < sqrt(2);
 * log(1+f) = f - (f^2/2 - s (f^2/2 + s^2 LOG(s^2))) with s = f / (2+f), in which all
 * rounded terms are small compared with f. */
static inline T(vec) T(log_plus)(T(vec) u, T(vec) c) {
    T(vec) zero = T(broadcast)(0), infinity = T(broadcast)((REAL)INFINITY);
    T(ivec) subnormal = T(less)(u, T(broadcast)(LEAST_NORMAL));
    T(vec) scaled = u * T(broadcast)((REAL)(MANTISSA_FIELD + 1));
    T(ivec) sqrt_half = T(bits)(T(broadcast)(SQRT_HALF));
    T(ivec) offset = T(bits)(T(abs)(T(select)(subnormal, scaled, u))) - sqrt_half;
    T(vec) rounder = T(broadcast)(ROUNDER);
    T(vec) e = T(from_bits)((offset >> MANTISSA_BITS) + T(bits)(rounder)) - rounder;
    e = e - T(select)(subnormal, T(broadcast)(MANTISSA_BITS), zero);

    T(vec) f = T(from_bits)((offset & MANTISSA_FIELD) + sqrt_half) - T(broadcast)(1);
    T(vec) s = f / (T(broadcast)(2) + f), s2 = s * s;
    T(vec) half_f2 = T(broadcast)((REAL)0.5) * f * f;
    c = T(fma)(e, T(broadcast)(LN2_LOW), c);
    c = half_f2 - T(fma)(s, half_f2 + s2 * POLYNOMIAL(T(LOG), s2), c);
    T(vec) y = T(fma)(e, T(broadcast)(LN2_HIGH), f - c);

    /* log(0) = -inf, log(inf) = inf, and NaN below 0 and for NaN */
    T(vec) other = T(select)(T(less)(u, zero), T(broadcast)((REAL)NAN), u);
    other = T(select)(T(equal)(u, zero), -infinity, other);
    return T(select)(T(less)(zero, u) & T(less)(u, infinity), y, other);
}

/* log(x) */
static inline T(vec) T(log)(T(vec) x) { return T(log_plus)(x, T(broadcast)(0)); }

/* log(1+x) = log(u) + (x - (u-1)) / u, where u is 1+x rounded; +0 for either zero */
static inline T(vec) T(log1p)(T(vec) x) {
    T(vec) one = T(broadcast)(1), u = one + x;
    return T(log_plus)(u, (x - (u - one)) / u);
}

/* (e^x - 1) / 2^halvings for |x| <= 2 TANH_IS_ONE.  With x = n ln(2) + r and e^r - 1 =
 * r_high + low, e^x - 1 = 2^n (e^r - 1) + 2^n - 1, where all but the last addition is
 * exact or small. */
static inline T(vec) T(expm1_in_range)(T(vec) x, int halvings) {
    T(ivec) k;
    T(vec) n, r_high, r = T(reduce)(&k, &n, &r_high, x, EXPONENT_BIAS - halvings);
    T(vec) low = T(fma)(n, T(broadcast)(-LN2_LOW), r * r * POLYNOMIAL(T(EXP), r));
    T(vec) power = T(from_bits)((k & EXPONENT_FIELD) << MANTISSA_BITS);
    T(vec) one = T(broadcast)(halvings ? (REAL)0.5 : 1);
    return T(fma)(power, low, T(fma)(power, r_high, power - one));
}

/* e^x - 1 for x <= 0 (-1 for very negative x), 0 for x > 0 */
static inline T(vec) T(expm1)(T(vec) x) {
    return T(expm1_in_range)(T(at_most)(T(at_least)(x, -2 * TANH_IS_ONE), 0), 0);
}

/* tanh(x) = h / (1+h) = w - w (w / (1+h)) with h = (e^(2|x|) - 1) / 2, w = min(h, 1):
 * the rounding errors of the quotient are smaller in this form. */
static inline T(vec) T(tanh)(T(vec) x) {
    T(vec) y = T(at_most)(T(abs)(x), TANH_IS_ONE);
    T(vec) h = T(expm1_in_range)(y + y, 1);
    T(vec) w = T(at_most)(h, 1);
    return T(copysign)(T(fma)(-w, w / (T(broadcast)(1) + h), w), x);
}

/* 1 / (1 + e^-x) = w - w (y / (1+y)) with y = e^-|x| and w = (y if x < 0 else 1); |x| is
 * bounded by `most`, beyond which the result is 1; for x < 0 it is 0 or not used */
static inline T(vec) T(sigmoid_within)(T(vec) x, REAL most) {
    T(vec) one = T(broadcast)(1);
    T(vec) y = T(exp_in_range)(-T(at_most)(T(abs)(x), most));
    T(vec) w = T(select)(T(less)(x, T(broadcast)(0)), y, one);
    return T(fma)(-w, y / (one + y), w);
}
static inline T(vec) T(sigmoid)(T(vec) x) {
    return T(sigmoid_within)(x, -(EXP_IS_ZERO));
}

/* The same, and 0 where that is subnormal or almost */
static inline T(vec) T(normal_sigmoid)(T(vec) x) {
    const T(vec) y = T(sigmoid_within)(x, -(EXP_IS_NORMAL));
    return T(from_bits)(~T(less)(x, T(broadcast)(EXP_IS_NORMAL)) & T(bits)(y));
}

/* log(cosh(d)) = x/2 + x^2 LOG_COSH(x) with x = d^2 up to |d| = 1, where x + rest is
 * d^2 before rounding; then (|d| - ln(2)) + log(1 + e^(-2|d|)), whose two differences
 * are exact or small. */
static inline T(vec) T(log_cosh)(T(vec) d) {
    T(vec) y = T(abs)(d), half = T(broadcast)((REAL)0.5);
    T(vec) x = y * y, rest = T(fma)(y, y, -x);
    T(vec) near = T(fma)(half, x, T(fma)(x * x, POLYNOMIAL(T(LOG_COSH), x), half * rest));
    T(vec) beyond = T(log1p)(T(exp)(y * -2)) - T(broadcast)(LN2_LOW);
    T(vec) far = (y - T(broadcast)(LN2_HIGH)) + beyond;
    return T(select)(T(less)(y, T(broadcast)(1)), near, far);
}

/* The distribution function of the standard normal: 1/2 + x CENTRE(x^2) up to |x| = 1,
 * then e^(-x^2/2) TAIL(v) for x < 0 and 1 minus that for x > 0, where 1 / (|x| + 4) is
 * mapped to v = -1 .. 1.  Beyond END the tail is 0: added to 1 it would change no
 * bit. */
static inline T(vec) T(normal_cdf)(T(vec) x) {
    const REAL half = (REAL)0.5, end = NORMAL_TAIL_END;
    const REAL most = (REAL)1 / 5, least = 1 / (end + 4);
    T(vec) y = T(abs)(x), zero = T(broadcast)(0);
    T(vec) centre = T(fma)(x, POLYNOMIAL(T(NORMAL_CENTRE), x * x), T(broadcast)(half));
    T(vec) v = 1 / (T(at_least)(y, 1) + 4) - (most + least) * half;
    v = v * T(broadcast)(2 / (most - least));
    T(vec) tail = T(normal_exp)(-half * y * y) * POLYNOMIAL(T(NORMAL_TAIL), v);
    tail = T(select)(T(less)(T(broadcast)(end), y), zero, tail);
    tail = T(select)(T(less)(x, zero), tail, 1 - tail);
    return T(select)(T(less)(y, T(broadcast)(1)), centre, tail);
}

/* The quantile of the standard normal for probability 1/2 + q, with rest = 1/2 - |q|;
 * error at most 4e-7.  q CENTRE(q^2) up to |q| = 0.425, then TAIL(u), where
 * sqrt(-log(rest)) is mapped to u = -1 .. 1, down to rest = 2^-33. */
static const REAL T(QUANTILE_CENTRE)[] = {
    (REAL)0x1.40d932p+1,  (REAL)0x1.50006ap+1,  (REAL)0x1.70251cp+2,
    (REAL)0x1.1b73c4p+4,  (REAL)-0x1.d516d0p+5, (REAL)0x1.9f345ep+11,
    (REAL)-0x1.cb50c2p+15, (REAL)0x1.5c9c28p+19, (REAL)-0x1.501cb8p+22,
    (REAL)0x1.96eb88p+24, (REAL)-0x1.18436ap+26, (REAL)0x1.562e44p+26};
static const REAL T(QUANTILE_TAIL)[] = {
    (REAL)0x1.fb89cep+1,  (REAL)0x1.35aa30p+1,  (REAL)-0x1.07b8a6p-4,
    (REAL)0x1.9c2e92p-6,  (REAL)-0x1.502a6ap-7, (REAL)0x1.166c70p-8,
    (REAL)-0x1.963504p-10, (REAL)0x1.5884f8p-11, (REAL)-0x1.245572p-11,
    (REAL)0x1.029cbcp-12};
static inline T(vec) T(normal_quantile)(T(vec) q, T(vec) rest) {
    const REAL centre = (REAL)3.1958394070186537, half_width = (REAL)1.5868227134408499;
    T(vec) near = q * POLYNOMIAL(T(QUANTILE_CENTRE), q * q);
    T(vec) u = (T(sqrt)(-T(log)(rest)) - centre) * T(broadcast)(1 / half_width);
    T(vec) far = T(copysign)(POLYNOMIAL(T(QUANTILE_TAIL), u), q);
    return T(select)(T(less)(T(broadcast)((REAL)0.425), T(abs)(q)), far, near);
}

#undef NORMAL_TAIL_END
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef LEAST_NORMAL
#undef EXP_IS_ZERO
#undef EXP_IS_INFINITE
#undef TANH_IS_ONE
#undef LOG2_E
#undef LN2_HIGH
#undef LN2_LOW
#undef SQRT_HALF
#undef EXPONENT_FIELD
#undef MANTISSA_FIELD
#undef ROUNDER
#undef POLYNOMIAL
