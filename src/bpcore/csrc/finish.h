/* What becomes of an element once its sum is complete: an activation, the
 * product with an activation's derivative, or one optimizer step on a weight. */

/* `whole` is a compile-time constant wherever these are used. */
static inline T(vec) T(load_part)(const REAL *p, int whole, T(tail) tail) {
    return whole ? T(load)(p) : T(load_tail)(p, tail);
}
static inline void T(store_part)(REAL *p, T(vec) a, int whole, T(tail) tail) {
    if (whole)
        T(store)(p, a);
    else
        T(store_tail)(p, a, tail);
}

/* relu(z) = 0 if z < 0 else z; a NaN stays one. */
static inline T(vec) T(relu)(T(vec) z) { return T(max)((T(vec)){0}, z); }

/* d * f'(z), from the activation a = f(z) alone. */
static inline T(vec) T(times_relu_derivative)(T(vec) d, T(vec) a) {
    return T(from_bits)(T(less)((T(vec)){0}, a) & T(bits)(d));
}
static inline T(vec) T(times_sigmoid_derivative)(T(vec) d, T(vec) a) {
    return d * (a * (T(broadcast)(1) - a));
}
static inline T(vec) T(times_tanh_derivative)(T(vec) d, T(vec) a) {
    return d * T(fma)(-a, a, T(broadcast)(1));
}

/* One step of stochastic gradient descent on the weights at w, gradient g:
 *
 *     g <- g + weight_decay * w
 *     sgd        w <- w - lr * g
 *     momentum   v <- momentum * v + g,   w <- w - lr * v
 *     nesterov   v <- momentum * v + g,   w <- w - lr * (momentum * v + g)
 */
typedef struct { REAL lr, momentum, weight_decay; } T(rates);

static inline T(rates) T(make_rates)(const bpcore_optimizer *optimizer) {
    return (T(rates)){(REAL)optimizer->lr, (REAL)optimizer->momentum,
                      (REAL)optimizer->weight_decay};
}

/* By value, or the compiler would read the rates again after every store. */
static inline void T(descend)(bpcore_rule rule, const T(rates) rates, REAL *w_at,
                              REAL *v_at, T(vec) g, int whole, T(tail) tail) {
    T(vec) w = T(load_part)(w_at, whole, tail);
    g = T(fma)(T(broadcast)(rates.weight_decay), w, g);
    if (rule != BPCORE_SGD) {
        T(vec) momentum = T(broadcast)(rates.momentum);
        T(vec) v = T(fma)(momentum, T(load_part)(v_at, whole, tail), g);
        T(store_part)(v_at, v, whole, tail);
        g = rule == BPCORE_NESTEROV ? T(fma)(momentum, v, g) : v;
    }
    w = T(fma)(-T(broadcast)(rates.lr), g, w);
    T(store_part)(w_at, w, whole, tail);
}
