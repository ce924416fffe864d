/* Parts of the epilogues of a product, which are applied to each element once its sum is
 * complete: an activation, or an activation's derivative (activations.h has the others,
 * and descent.h the optimizer's step). */

/* The whole vector at p, or its tail. */
static inline T(vec) T(load_part)(const REAL *p, int whole, T(tail) tail) {
    return whole ? T(load)(p) : T(load_tail)(p, tail);
}
static inline void T(store_part)(REAL *p, T(vec) a, int whole, T(tail) tail) {
    if (whole)
        T(store)(p, a);
    else
        T(store_tail)(p, a, tail);
}

/* relu(z) = 0 if z < 0 else z; NaN for NaN. */
static inline T(vec) T(relu)(T(vec) z) { return T(max)((T(vec)){0}, z); }

/* d * f'(z), from the activation a = f(z) alone.  As all deltas, 0 instead of subnormal:
 * on some processors a product of such a number takes a hundred times as long. */
static inline T(vec) T(times_relu_derivative)(T(vec) d, T(vec) a) {
    return T(flush)(T(from_bits)(T(less)((T(vec)){0}, a) & T(bits)(d)));
}
static inline T(vec) T(times_sigmoid_derivative)(T(vec) d, T(vec) a) {
    return T(flush)(d * (a * (T(broadcast)(1) - a)));
}
static inline T(vec) T(times_tanh_derivative)(T(vec) d, T(vec) a) {
    return T(flush)(d * T(fma)(-a, a, T(broadcast)(1)));
}
