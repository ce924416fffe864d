/* The register tile: up to TILE_ROWS x NR elements of a product (see types.h), held
 * in registers while k runs.  Each element is one accumulator that takes one fused
 * multiply-add per k in ascending order, in chains of BPCORE_CHAIN terms: the first
 * begins with `start`, the others with 0, and each is added to those before it.  It
 * then meets `finish` once.  So its bits do not depend on the tile it fell into.
 * C is written, never read, except where a sum resumes or a weight is updated. */

/* C[i:i+rows, j:...], k in [k0, k1).  The columns are nv vectors, all whole or (for
 * nv = 1) a tail; B is row k0 of the panel whose first column is j. */
BPCORE_INLINE void T(tile)(const bpcore_product *p, ptrdiff_t i, const int rows,
                           ptrdiff_t j, const int nv, const int whole, T(tail) tail,
                           const REAL *B, ptrdiff_t b_row, ptrdiff_t k0, ptrdiff_t k1) {
    const ptrdiff_t a_row = p->a_row, a_col = p->a_col, c_row = p->c_row;
    const REAL *A = (const REAL *)p->A + i * a_row + k0 * a_col;
    REAL *C = (REAL *)p->C + i * c_row + j;
    T(vec) sum[BPCORE_TILE_ROWS][8];
    /* Where sums wait between chains: in C, unless that is the weight to be changed. */
    REAL room[BPCORE_TILE_ROWS * T(WIDE)];
    REAL *waiting = p->finish == BPCORE_DESCEND ? room : C;
    const ptrdiff_t w_row = p->finish == BPCORE_DESCEND ? T(WIDE) : c_row;

#define EACH_VECTOR(statement)                                            \
    BPCORE_UNROLL for (int r = 0; r < rows; r++)                          \
        BPCORE_UNROLL for (int v = 0; v < nv; v++) {                      \
            const ptrdiff_t at = r * c_row + v * T(LANES);                \
            const ptrdiff_t waits = r * w_row + v * T(LANES);             \
            (void)at, (void)waits;                                        \
            statement;                                                    \
        }
    ptrdiff_t k = k0;
    do {
        const ptrdiff_t first = k, end = k1 - k < BPCORE_CHAIN ? k1 : k + BPCORE_CHAIN;
        if (first == 0 && p->start) {
            const REAL *start = (const REAL *)p->start + j;
            EACH_VECTOR(sum[r][v] = T(load_part)(start + at - r * c_row, whole, tail))
        } else {
            EACH_VECTOR(sum[r][v] = (T(vec)){0})
        }
        for (; k < end; k++, A += a_col, B += b_row) {
            T(vec) b[8];
            BPCORE_UNROLL for (int v = 0; v < nv; v++)
                b[v] = T(load_part)(B + v * T(LANES), whole, tail);
            BPCORE_UNROLL for (int r = 0; r < rows; r++) {
                const T(vec) a = T(broadcast)(A[r * a_row]);
                BPCORE_UNROLL for (int v = 0; v < nv; v++)
                    sum[r][v] = T(fma)(a, b[v], sum[r][v]);
            }
        }
        if (first > 0)
            EACH_VECTOR(sum[r][v] += T(load_part)(waiting + waits, whole, tail))
        if (end < p->k)
            EACH_VECTOR(T(store_part)(waiting + waits, sum[r][v], whole, tail))
    } while (k < k1);
    if (k1 < p->k) return;

#define STORE(value) EACH_VECTOR(T(store_part)(C + at, value, whole, tail))
#define TIMES(derivative)                                                 \
    {                                                                     \
        const REAL *a = (const REAL *)p->a + i * c_row + j;               \
        STORE(derivative(sum[r][v], T(load_part)(a + at, whole, tail)))   \
    }
    switch (p->finish) {
    case BPCORE_STORE: STORE(sum[r][v]) break;
    case BPCORE_STORE_RELU: STORE(T(relu)(sum[r][v])) break;
    case BPCORE_TIMES_RELU_DERIVATIVE: TIMES(T(times_relu_derivative)) break;
    case BPCORE_TIMES_SIGMOID_DERIVATIVE: TIMES(T(times_sigmoid_derivative)) break;
    case BPCORE_TIMES_TANH_DERIVATIVE: TIMES(T(times_tanh_derivative)) break;
    case BPCORE_DESCEND: {
        const T(rates) rates = T(make_rates)(p->optimizer);
        REAL *state = (REAL *)p->state + i * c_row + j;
        switch (p->optimizer->rule) {
#define RULE(rule)                                                        \
    case rule:                                                            \
        EACH_VECTOR(T(descend)(rule, &rates, C + at, state + at,          \
                               sum[r][v], whole, tail))                   \
        break;
            BPCORE_EACH_RULE(RULE)
#undef RULE
        }
    }
    }
#undef EACH_VECTOR
#undef STORE
#undef TIMES
}

/* The same for any size: `rows` up to TILE_ROWS by any `cols`.  A single row takes
 * WIDE vectors at a time, since each of its sums waits for the last.  Every shape of
 * tile gets a body of its own, with its loops unrolled into registers. */
static void T(any_tile)(const bpcore_product *p, ptrdiff_t i, ptrdiff_t rows,
                        ptrdiff_t j, ptrdiff_t cols, const REAL *B, ptrdiff_t b_row,
                        ptrdiff_t k0, ptrdiff_t k1) {
    const T(tail) none = T(make_tail)(T(LANES));
    ptrdiff_t step = T(WIDE);
    if (rows == 1)
        for (; cols >= step; cols -= step, j += step, B += step)
            T(tile)(p, i, 1, j, 8, 1, none, B, b_row, k0, k1);
    for (step = T(NR); cols >= step; cols -= step, j += step, B += step)
        switch (rows) {
#define ROWS(r) case r: T(tile)(p, i, r, j, 2, 1, none, B, b_row, k0, k1); break;
            BPCORE_EACH_TILE_ROWS(ROWS)
#undef ROWS
        }
    for (step = T(LANES); cols > 0; cols -= step, j += step, B += step) {
        const T(tail) tail = T(make_tail)(cols < step ? cols : step);
        switch (rows) {
#define ROWS(r) case r: T(tile)(p, i, r, j, 1, 0, tail, B, b_row, k0, k1); break;
            BPCORE_EACH_TILE_ROWS(ROWS)
#undef ROWS
        }
    }
}
