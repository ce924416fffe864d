/* Sums along one row, in the same order for every register width: VIRTUAL running sums,
 * of which number i adds elements i, i + VIRTUAL, ... in order, then reduced in
 * halves. */

enum { T(VIRTUAL) = 64 / sizeof(REAL), T(PARTS) = T(VIRTUAL) / T(LANES) };

/* sum over j of term(x[j], y[j], c) */
BPCORE_INLINE REAL T(row_sum)(T(vec) (*term)(T(vec), T(vec), T(vec)), const REAL *x,
                              const REAL *y, REAL c, ptrdiff_t n) {
    const T(vec) cs = T(broadcast)(c);
    T(vec) part[T(PARTS)];
    ptrdiff_t j = 0;
    for (int q = 0; q < T(PARTS); q++) part[q] = (T(vec)){0};
    for (; n - j >= T(VIRTUAL); j += T(VIRTUAL))
        for (int q = 0; q < T(PARTS); q++) {
            const ptrdiff_t at = j + q * T(LANES);
            part[q] += term(T(load)(x + at), T(load)(y + at), cs);
        }
    for (int q = 0; j < n; q++, j += T(LANES)) {
        const T(tail) tail = T(make_tail)(n - j < T(LANES) ? n - j : T(LANES));
        const T(vec) t = term(T(load_tail)(x + j, tail), T(load_tail)(y + j, tail), cs);
        part[q] += T(join)(tail, t, (T(vec)){0});
    }
    for (int half = T(PARTS) / 2; half > 0; half /= 2)
        for (int q = 0; q < half; q++) part[q] += part[q + half];
    return T(sum_of_lanes)(part[0]);
}

/* max over j of z[j]; any order gives the same, except for rows with NaN. */
static REAL T(row_max)(const REAL *z, ptrdiff_t n) {
    const T(vec) first = T(broadcast)(z[0]);
    T(vec) highest = first;
    ptrdiff_t j = 0;
    for (; n - j >= T(LANES); j += T(LANES)) highest = T(max)(T(load)(z + j), highest);
    if (j < n) {
        const T(tail) tail = T(make_tail)(n - j);
        highest = T(max)(T(join)(tail, T(load_tail)(z + j, tail), first), highest);
    }
    return T(max_of_lanes)(highest);
}

#define TERM(name, expression)                                             \
    static inline T(vec) T(name)(T(vec) x, T(vec) y, T(vec) c) {           \
        (void)x, (void)y, (void)c;                                         \
        return expression;                                                 \
    }
/* x - highest, and 0 where they are equal, even if both are infinite */
static inline T(vec) T(below)(T(vec) x, T(vec) highest) {
    return T(from_bits)(~T(equal)(x, highest) & T(bits)(x - highest));
}

TERM(x_minus_c, x - c)
TERM(x_below_c, T(below)(x, c))
TERM(x_times_c, x * c)
TERM(x_alone, x)
TERM(x_times_y, x * y)
TERM(x_plus_y, x + y)
TERM(x_minus_y, x - y)
TERM(square_of_x_times_c, (x * c) * (x * c))
TERM(exp_of_x, T(normal_exp)(x))
TERM(exp_of_x_below_c, T(normal_exp)(T(below)(x, c)))
TERM(x_times_relu_derivative, T(times_relu_derivative)(x, y))
TERM(x_times_sigmoid_derivative, T(times_sigmoid_derivative)(x, y))
TERM(x_times_tanh_derivative, T(times_tanh_derivative)(x, y))

/* Flat arrays: total = total + g, g = factor g, and the sum of (scale g)^2 */
static void T(add_array)(REAL *total, const REAL *g, ptrdiff_t size) {
    T(combine)(T(x_plus_y), total, total, g, 0, size);
}
static void T(scale_array)(REAL *g, double factor, ptrdiff_t size) {
    if (factor < 0x1p-100) { /* may be subnormal, and g is large: two factors */
        T(combine)(T(x_times_c), g, g, g, (REAL)0x1p-60, size);
        factor *= 0x1p60;
    }
    T(combine)(T(x_times_c), g, g, g, (REAL)factor, size);
}
static double T(sum_of_squares)(const REAL *g, REAL scale, ptrdiff_t size) {
    return T(row_sum)(T(square_of_x_times_c), g, g, scale, size);
}

/* max |x[i]|, NaN ignored */
static REAL T(largest)(const REAL *x, ptrdiff_t size) {
    const ptrdiff_t rest = size % T(LANES), whole = size - rest;
    T(vec) most = {0};
    for (ptrdiff_t i = 0; i < whole; i += T(LANES))
        most = T(max)(T(abs)(T(load)(x + i)), most);
    if (rest) most = T(max)(T(abs)(T(load_tail)(x + whole, T(make_tail)(rest))), most);
    return T(max_of_lanes)(most);
}

/* Scale for norms: 1, or, if squares of `largest` may overflow or underflow, a power of
 * two near 1 / largest. */
static inline T(vec) T(unit_scale)(T(vec) largest) {
    const REAL far = REAL_BITS == 32 ? (REAL)0x1p48 : (REAL)0x1p480;
    const T(vec) infinity = T(broadcast)((REAL)INFINITY), zero = {0};
    const T(ivec) above = T(less)(T(broadcast)(far), largest) & T(less)(largest, infinity);
    const T(ivec) under = T(less)(zero, largest) & T(less)(largest, T(broadcast)(1 / far));
    const T(vec) bounded = T(at_least)(largest, REAL_BITS == 32 ? 0x1p-120f : (REAL)0x1p-1016);
    /* the largest power of two that is not larger */
    const T(vec) power = T(from_bits)(T(bits)(bounded) & T(bits)(infinity));
    return T(select)(above | under, 1 / (power * T(broadcast)((REAL)0.25)),
                     T(broadcast)(1));
}

/* exp(z - max z) of a row of up to LANES elements, and their sum.  The row stays in a
 * register, since loading what a masked store wrote is slow. */
static inline T(vec) T(narrow_exp)(const REAL *z, T(tail) tail, REAL *highest,
                                   REAL *sum) {
    const T(vec) row = T(load_tail)(z, tail);
    *highest = T(max_of_lanes)(T(join)(tail, row, T(broadcast)(z[0])));
    const T(vec) e = T(normal_exp)(T(below)(row, T(broadcast)(*highest)));
    *sum = T(sum_of_lanes)(T(join)(tail, e, (T(vec)){0}));
    return e;
}

/* a = exp(z - max z) / sum exp(z - max z);  a may be z.  If some z are +infinity, each
 * of them gets an equal part of 1. */
static void T(softmax_row)(REAL *a, const REAL *z, ptrdiff_t n) {
    if (n <= T(LANES)) {
        const T(tail) tail = T(make_tail)(n);
        REAL highest, sum;
        const T(vec) e = T(narrow_exp)(z, tail, &highest, &sum);
        T(store_tail)(a, e * T(broadcast)(1 / sum), tail);
        return;
    }
    T(combine)(T(exp_of_x_below_c), a, z, z, T(row_max)(z, n), n);
    T(combine)(T(x_times_c), a, a, a, 1 / T(row_sum)(T(x_alone), a, a, 0, n), n);
}

/* --- narrow rows, LANES at a time with one lane per row; same bits as above --- */

/* Most columns of a narrow row: a multiple of LANES. */
enum { T(NARROW) = T(LANES) == 1 ? 1 : 16 };

/* col[j] = column j of `rows` rows of `width`, which is at most `most`, a constant;
 * lanes without a row repeat the first. */
BPCORE_INLINE void T(load_columns)(T(vec) *col, const REAL *z, ptrdiff_t rows,
                                   ptrdiff_t width, const ptrdiff_t most) {
    for (ptrdiff_t j = 0; j < most && (j == 0 || j < width); j += T(LANES)) {
        const T(tail) tail = T(make_tail)(bpcore_min(width - j, T(LANES)));
        for (int i = 0; i < T(LANES); i++)
            col[j + i] = T(load_tail)(z + (i < rows ? i : 0) * width + j, tail);
        T(transpose)(col + j);
    }
}
BPCORE_INLINE void T(store_columns)(REAL *z, T(vec) *col, ptrdiff_t rows,
                                    ptrdiff_t width, const ptrdiff_t most) {
    for (ptrdiff_t j = 0; j < most && (j == 0 || j < width); j += T(LANES)) {
        const T(tail) tail = T(make_tail)(bpcore_min(width - j, T(LANES)));
        T(transpose)(col + j);
        for (int i = 0; i < rows; i++)
            T(store_tail)(z + i * width + j, col[j + i], tail);
    }
}

/* col[j] = exp(col[j] - highest);  returns their sum, in the order of `row_sum` */
BPCORE_INLINE T(vec) T(exp_of_columns)(T(vec) *col, T(vec) *highest, ptrdiff_t width,
                                       const ptrdiff_t most) {
    enum { V = T(VIRTUAL) };
    const int sums = most > T(LANES) ? V : T(LANES); /* further sums are 0 */
    T(vec) sum[V];
    *highest = col[0];
    for (int j = 1; j < width; j++) *highest = T(max)(col[j], *highest);
    for (int j = 0; j < sums; j++) sum[j] = (T(vec)){0};
    for (int j = 0; j < width; j++) {
        col[j] = T(normal_exp)(T(below)(col[j], *highest));
        sum[j % V] = j < V ? col[j] : sum[j % V] + col[j];
    }
    for (int half = sums / 2; half > 0; half /= 2)
        for (int j = 0; j < half; j++) sum[j] += sum[j + half];
    return sum[0];
}

/* softmax of up to LANES rows of width up to `most`, a constant */
BPCORE_INLINE void T(softmax_columns)(REAL *a, const REAL *z, ptrdiff_t rows,
                                      ptrdiff_t width, const ptrdiff_t most) {
    T(vec) col[T(NARROW)], highest;
    T(load_columns)(col, z, rows, width, most);
    const T(vec) inverse = 1 / T(exp_of_columns)(col, &highest, width, most);
    for (int j = 0; j < width; j++) col[j] = col[j] * inverse;
    T(store_columns)(a, col, rows, width, most);
}

/* a = softmax(z), n rows of `width`;  a may be z. */
static void T(softmax_rows)(REAL *a, const REAL *z, ptrdiff_t n, ptrdiff_t width) {
    if (width > T(NARROW) || n == 1) {
        for (ptrdiff_t i = 0; i < n; i++)
            T(softmax_row)(a + i * width, z + i * width, width);
        return;
    }
    for (ptrdiff_t i = 0; i < n; i += T(LANES)) {
        const ptrdiff_t rows = bpcore_min(n - i, T(LANES)), at = i * width;
        if (width <= T(LANES))
            T(softmax_columns)(a + at, z + at, rows, width, T(LANES));
        else
            T(softmax_columns)(a + at, z + at, rows, width, T(NARROW));
    }
}

/* d = a * (d - sum_j d[j] a[j]): the product with the Jacobian of softmax. */
static void T(times_softmax_derivative_row)(REAL *d, const REAL *a, ptrdiff_t n) {
    const REAL dot = T(row_sum)(T(x_times_y), d, a, 0, n);
    T(combine)(T(x_minus_c), d, d, d, dot, n);
    T(combine)(T(x_times_y), d, d, a, 0, n);
    T(map)(T(flush), d, d, n);
}
