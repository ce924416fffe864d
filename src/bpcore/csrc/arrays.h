/* Elementwise functions of flat arrays. */

/* out[i] = f(x[i]);  out may be x. */
BPCORE_INLINE void T(map)(T(vec) (*f)(T(vec)), REAL *out, const REAL *x,
                          ptrdiff_t size) {
    ptrdiff_t i = 0;
    for (; size - i >= T(LANES); i += T(LANES)) T(store)(out + i, f(T(load)(x + i)));
    if (i < size) {
        const T(tail) tail = T(make_tail)(size - i);
        T(store_tail)(out + i, f(T(load_tail)(x + i, tail)), tail);
    }
}

/* out[i] = f(x[i]) for an elementary function f */
static void T(elementary)(bpcore_elementary f, void *out, const void *x,
                          ptrdiff_t size) {
    switch (f) {
#define CASE(INTEGER, name) \
    case BPCORE_##INTEGER: T(map)(T(name), out, x, size); break;
        BPCORE_EACH_ELEMENTARY(CASE)
#undef CASE
    }
}

/* out[i] = f(x[i], y[i], c);  out may be x or y. */
BPCORE_INLINE void T(combine)(T(vec) (*f)(T(vec), T(vec), T(vec)), REAL *out,
                              const REAL *x, const REAL *y, REAL c, ptrdiff_t size) {
    const T(vec) cs = T(broadcast)(c);
    ptrdiff_t i = 0;
    for (; size - i >= T(LANES); i += T(LANES))
        T(store)(out + i, f(T(load)(x + i), T(load)(y + i), cs));
    if (i < size) {
        const T(tail) tail = T(make_tail)(size - i);
        const T(vec) a = f(T(load_tail)(x + i, tail), T(load_tail)(y + i, tail), cs);
        T(store_tail)(out + i, a, tail);
    }
}

/* Whether no element of x (size,) is infinite or NaN: x - x is +0 for all others. */
static int T(all_finite)(const REAL *x, ptrdiff_t size) {
    const ptrdiff_t whole = size - size % T(LANES);
    T(ivec) other = {0};
    for (ptrdiff_t i = 0; i < whole; i += T(LANES))
        other |= T(bits)(T(load)(x + i) - T(load)(x + i));
    int finite = !T(any)(other);
    for (ptrdiff_t i = whole; i < size; i++) finite &= x[i] - x[i] == 0;
    return finite;
}

/* Whether least <= x[i] <= most for all i; false if one is NaN. */
static int T(all_between)(const void *array, ptrdiff_t size, double least,
                          double most) {
    const REAL *x = array, low = (REAL)least, high = (REAL)most;
    if (low == -LARGEST && high == LARGEST) return T(all_finite)(x, size);
    const T(vec) lows = T(broadcast)(low), highs = T(broadcast)(high);
    union { T(ivec) vector; INT lanes[T(LANES)]; } inside = {.vector = ~(T(ivec)){0}};
    const ptrdiff_t rest = size % T(LANES), whole = size - rest;
    for (ptrdiff_t i = 0; i < whole; i += T(LANES)) {
        const T(vec) a = T(load)(x + i);
        inside.vector &= (T(less)(lows, a) | T(equal)(lows, a)) &
                         (T(less)(a, highs) | T(equal)(a, highs));
    }
    INT every = -1;
    for (int lane = 0; lane < T(LANES); lane++) every &= inside.lanes[lane];
    for (ptrdiff_t r = 0; r < rest; r++)
        every &= -(INT)(low <= x[whole + r] && x[whole + r] <= high);
    return every != 0;
}

/* Measures peak speed: iterations x 10 independent vector multiply-adds in registers.
 * One element of their sum is stored in out.  Returns the scalar multiply-adds made. */
static ptrdiff_t T(fma_loop)(void *array, ptrdiff_t iterations) {
    REAL *out = array;
    enum { CHAINS = 10 }; /* 2 per cycle, latency 4: at least 8; 16 registers */
    T(vec) sum[CHAINS];
    const T(vec) a = T(broadcast)((REAL)0.999), b = T(broadcast)(out[0]);
    for (int i = 0; i < CHAINS; i++) sum[i] = T(broadcast)((REAL)i);
    for (ptrdiff_t n = 0; n < iterations; n++)
        BPCORE_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = T(fma)(sum[i], a, b);
    for (int i = 1; i < CHAINS; i++) sum[0] += sum[i];
    REAL lanes[T(LANES)];
    T(store)(lanes, sum[0]);
    out[0] = lanes[0];
    return iterations * CHAINS * T(LANES);
}
