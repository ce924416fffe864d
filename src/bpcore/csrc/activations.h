/* Activations and their derivatives, over the rows of (n, width) arrays.
 *
 * Where a function decays to 0 it is 0 instead of subnormal, and so is each product with
 * a derivative (flush in elementary.h): or the products of the next layer are slow. */

#define CONSTANT(x) T(broadcast)((REAL)(x))
#define ONE CONSTANT(1)
#define ZERO ((T(vec)){0})
#define ACTIVATION(name, expression)                                       \
    static inline T(vec) T(name)(T(vec) z) { return expression; }
#define DERIVATIVE(name, expression) \
    TERM(x_times_##name##_derivative, T(flush)(expression))

/* selu's scale, and the same times its alpha (Klambauer et al. 2017) */
#define SELU CONSTANT(1.0507009873554804934193349852946)
#define SELU_ALPHA CONSTANT(1.7580993408473768599402175208123)

/* z as a factor of a function that is 0 far below 0, or on both sides: bounded, since
 * infinity times 0 would be NaN */
#define ABOVE(z) T(at_least)(z, -1000)
#define WITHIN(z) T(at_most)(ABOVE(z), 1000)
#define FINITE(z) T(at_most)(T(at_least)(z, -LARGEST), LARGEST)

static inline T(vec) T(gelu_inner)(T(vec) z) { /* sqrt(2/pi) (z + 0.044715 z^3) */
    const T(vec) cubic = T(fma)(CONSTANT(0.044715) * z, z, ONE);
    return CONSTANT(0.79788456080286535588) * z * cubic;
}

/* tanh(log(1 + e^z)) = n / d with n = u (u + 2 v), d = n + 2 v^2, u = e^min(z, 0) and
 * v = e^-max(z, 0): no power overflows and no terms cancel.  mish'(z) is
 * (n + z w / d) / d with w = 4 u v^2 (u + v).  Above 43, v changes no bit. */
static inline T(vec) T(mish_terms)(T(vec) *d, T(vec) *w, T(vec) z) {
    const T(ivec) below = T(less)(z, ZERO);
    const T(vec) least = T(select)(below, CONSTANT(EXP_IS_NORMAL), CONSTANT(-43));
    const T(vec) e = T(exp_from)(least, -T(abs)(z));
    const T(vec) u = T(select)(below, e, ONE), v = T(select)(below, ONE, e);
    const T(vec) n = u * (u + 2 * v);
    *d = T(fma)(2 * v, v, n);
    *w = 4 * e * v * (u + v);
    return n;
}
static inline T(vec) T(mish)(T(vec) z) {
    T(vec) d, w, n = T(mish_terms)(&d, &w, z);
    return ABOVE(z) * (n / d);
}

ACTIVATION(leaky_relu, T(select)(T(less)(z, ZERO), CONSTANT(0.01) * z, z))
ACTIVATION(elu, T(select)(T(less)(ZERO, z), z, T(expm1)(z)))
ACTIVATION(selu, T(select)(T(less)(ZERO, z), SELU * z, SELU_ALPHA * T(expm1)(z)))
ACTIVATION(gelu, ABOVE(z) * T(normal_cdf)(z))
ACTIVATION(gelu_tanh, CONSTANT(0.5) * ABOVE(z) * (ONE + T(tanh)(T(gelu_inner)(z))))
ACTIVATION(silu, ABOVE(z) * T(normal_sigmoid)(z))
ACTIVATION(softplus, T(relu)(z) + T(log1p)(T(normal_exp)(-T(abs)(z))))
ACTIVATION(softsign, FINITE(z) / (ONE + T(abs)(FINITE(z))))
ACTIVATION(hard_sigmoid, T(at_most)(T(at_least)((z + 3) / CONSTANT(6), 0), 1))
ACTIVATION(hard_tanh, T(at_most)(T(at_least)(z, -1), 1))
ACTIVATION(step, T(select)(T(less)(ZERO, z), ONE, T(select)(T(equal)(z, z), ZERO, z)))

/* x f'(z), with y the activation a, and with y = z for those with needs_z */
DERIVATIVE(leaky_relu, T(select)(T(less)(ZERO, y), x, CONSTANT(0.01) * x))
DERIVATIVE(elu, T(select)(T(less)(ZERO, y), x, x * (y + 1)))
DERIVATIVE(selu, x * T(select)(T(less)(ZERO, y), SELU, y + SELU_ALPHA))
DERIVATIVE(softplus, x * -T(expm1)(-y))
DERIVATIVE(softsign, x * (1 - T(abs)(y)) * (1 - T(abs)(y)))
DERIVATIVE(hard_sigmoid,
           T(select)(T(less)(ZERO, y) & T(less)(y, ONE), x / CONSTANT(6), ZERO))
DERIVATIVE(hard_tanh, T(select)(T(less)(T(abs)(y), ONE), x, ZERO))
DERIVATIVE(exp, x * y)
/* Phi(z) + z phi(z) */
DERIVATIVE(gelu, x * T(fma)(WITHIN(y) * CONSTANT(0.39894228040143267794),
                            T(normal_exp)(CONSTANT(-0.5) * y * y), T(normal_cdf)(y)))
/* s (1 + z (1 - s)) */
static inline T(vec) T(x_times_silu_derivative)(T(vec) x, T(vec) z, T(vec) c) {
    const T(vec) s = T(normal_sigmoid)(z);
    (void)c;
    return T(flush)(x * s * T(fma)(WITHIN(z), 1 - s, ONE));
}
static inline T(vec) T(x_times_mish_derivative)(T(vec) x, T(vec) z, T(vec) c) {
    T(vec) d, w, n = T(mish_terms)(&d, &w, z), inverse = 1 / d;
    (void)c;
    return T(flush)(x * inverse * T(fma)(WITHIN(z) * w, inverse, n));
}
/* (1 + t) / 2 + z / 2 (1 - t^2) d(gelu_inner)/dz, t = tanh(gelu_inner(z)) */
static inline T(vec) T(x_times_gelu_tanh_derivative)(T(vec) x, T(vec) z, T(vec) c) {
    z = T(at_most)(T(at_least)(z, -20), 20); /* where t is -1 or 1, and inner finite */
    const T(vec) t = T(tanh)(T(gelu_inner)(z)), half = CONSTANT(0.5);
    const T(vec) inner = CONSTANT(0.79788456080286535588) *
                         T(fma)(CONSTANT(0.134145) * z, z, ONE);
    (void)c;
    x = x * T(fma)(half * z * inner, T(fma)(-t, t, ONE), half * (ONE + t));
    return T(flush)(x);
}

/* out = f(z);  out may be z. */
static void T(activate_rows)(bpcore_activation f, REAL *out, const REAL *z, ptrdiff_t n,
                             ptrdiff_t width) {
#define CASE(NAME, name) \
    case BPCORE_##NAME: T(map)(T(name), out, z, n * width); break;
    switch (f) {
    case BPCORE_IDENTITY:
        if (out != z) memcpy(out, z, (size_t)(n * width) * sizeof(REAL));
        break;
    case BPCORE_SOFTMAX: T(softmax_rows)(out, z, n, width); break;
    CASE(SIGMOID, normal_sigmoid)
    CASE(TANH, tanh)
    CASE(RELU, relu)
    CASE(LEAKY_RELU, leaky_relu)
    CASE(ELU, elu)
    CASE(SELU, selu)
    CASE(GELU, gelu)
    CASE(GELU_TANH, gelu_tanh)
    CASE(SILU, silu)
    CASE(MISH, mish)
    CASE(SOFTPLUS, softplus)
    CASE(SOFTSIGN, softsign)
    CASE(HARD_SIGMOID, hard_sigmoid)
    CASE(HARD_TANH, hard_tanh)
    CASE(EXPONENTIAL, normal_exp)
    CASE(STEP, step)
    }
#undef CASE
}

/* d = d * f'(z), given a = f(z) (z for those with needs_z); for softmax
 * the product with its Jacobian.  The derivative of step is 0. */
static void T(times_derivative_rows)(bpcore_activation f, REAL *d, const REAL *a,
                                     ptrdiff_t n, ptrdiff_t width) {
#define CASE(NAME, name) \
    case BPCORE_##NAME: T(combine)(T(x_times_##name), d, d, a, 0, n * width); break;
    switch (f) {
    case BPCORE_IDENTITY: break;
    case BPCORE_STEP: memset(d, 0, (size_t)(n * width) * sizeof(REAL)); break;
    case BPCORE_SOFTMAX:
        for (ptrdiff_t i = 0; i < n; i++)
            T(times_softmax_derivative_row)(d + i * width, a + i * width, width);
        break;
    CASE(SIGMOID, sigmoid_derivative)
    CASE(TANH, tanh_derivative)
    CASE(RELU, relu_derivative)
    CASE(LEAKY_RELU, leaky_relu_derivative)
    CASE(ELU, elu_derivative)
    CASE(SELU, selu_derivative)
    CASE(GELU, gelu_derivative)
    CASE(GELU_TANH, gelu_tanh_derivative)
    CASE(SILU, silu_derivative)
    CASE(MISH, mish_derivative)
    CASE(SOFTPLUS, softplus_derivative)
    CASE(SOFTSIGN, softsign_derivative)
    CASE(HARD_SIGMOID, hard_sigmoid_derivative)
    CASE(HARD_TANH, hard_tanh_derivative)
    CASE(EXPONENTIAL, exp_derivative)
    }
#undef CASE
}
#undef CONSTANT
#undef ONE
#undef ZERO
#undef SELU
#undef SELU_ALPHA
#undef ABOVE
#undef WITHIN
#undef FINITE
#undef EXP_IS_NORMAL
#undef ACTIVATION
#undef DERIVATIVE
