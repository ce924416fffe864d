/* The register tile: up to TILE_ROWS x NR elements of a product (see types.h), held
 * in registers during the loop over k.  Each element is one accumulator with one fused
 * multiply-add per k in ascending order, in chains of BPCORE_CHAIN terms: the first
 * starts at `start`, the others at 0, and each is added to the sum of those before it.
 * Then `finish` is applied once.  So no bit depends on the tile an element is in.
 * C is only written, except where a sum is continued or a weight is updated. */

/* Elements C[i:, j:] and terms k0 .. k1 of a product.  A points to row i and B to
 * column j, both at term k0, in place or in a copy.  `partial` points to the partial
 * sums of these elements, with row stride w_row. */
typedef struct {
    ptrdiff_t i, j, k0, k1;
    const REAL *A;
    ptrdiff_t a_row, a_col;
    const REAL *B;
    ptrdiff_t b_row;
    REAL *partial;
    ptrdiff_t w_row;
    ptrdiff_t cols; /* columns of this tile */
    T(rates) rates;
} T(block);

/* One chain of terms of `rows` rows of the block by nv vectors, whole or (only if nv is
 * 1) a tail. */
BPCORE_INLINE void T(tile)(const bpcore_product *p, const T(block) *block,
                           const int rows, const int nv, const int whole,
                           T(tail) tail) {
    const ptrdiff_t a_row = block->a_row, a_col = block->a_col, b_row = block->b_row;
    const ptrdiff_t c_row = p->c_row, corner = block->i * c_row + block->j;
    /* Rows of A are addressed by two pointers and two strides, to save registers. */
    const REAL *A = block->A, *A4 = A + 4 * a_row, *B = block->B;
    const ptrdiff_t a_3rows = 3 * a_row;
    T(vec) sum[BPCORE_TILE_ROWS][8];

#define EACH_VECTOR(row, statement)                                       \
    BPCORE_UNROLL for (int r = 0; r < rows; r++)                          \
        BPCORE_UNROLL for (int v = 0; v < nv; v++) {                      \
            const ptrdiff_t at = r * (row) + v * T(LANES);                \
            (void)at;                                                     \
            statement;                                                    \
        }
    if (block->k0 == 0 && p->start) {
        const REAL *start = (const REAL *)p->start + block->j;
        EACH_VECTOR(0, sum[r][v] = T(load_part)(start + at, whole, tail))
    } else {
        EACH_VECTOR(0, sum[r][v] = (T(vec)){0})
    }
    for (ptrdiff_t k = block->k1 - block->k0; k > 0; k--) {
        T(vec) b[8];
        BPCORE_UNROLL for (int v = 0; v < nv; v++)
            b[v] = T(load_part)(B + v * T(LANES), whole, tail);
        BPCORE_UNROLL for (int r = 0; r < rows; r++) {
            const ptrdiff_t row = r % 4 == 3 ? a_3rows : r % 4 * a_row;
            const T(vec) a = T(broadcast)((r < 4 ? A : A4)[row]);
            BPCORE_UNROLL for (int v = 0; v < nv; v++)
                sum[r][v] = T(fma)(a, b[v], sum[r][v]);
        }
        A += a_col, A4 += a_col, B += b_row;
    }
    REAL *partial = block->partial;
    if (block->k0 > 0)
        EACH_VECTOR(block->w_row, sum[r][v] += T(load_part)(partial + at, whole, tail))
    if (block->k1 < p->k) {
        EACH_VECTOR(block->w_row, T(store_part)(partial + at, sum[r][v], whole, tail))
        return;
    }

    REAL *C = (REAL *)p->C + corner;
#define STORE(value) EACH_VECTOR(c_row, T(store_part)(C + at, value, whole, tail))
#define TIMES(derivative)                                                 \
    {                                                                     \
        const REAL *a = (const REAL *)p->a + corner;                       \
        STORE(derivative(sum[r][v], T(load_part)(a + at, whole, tail)))   \
    }
    switch (p->finish) {
    case BPCORE_STORE: STORE(sum[r][v]) break;
    case BPCORE_STORE_RELU: STORE(T(relu)(sum[r][v])) break;
    case BPCORE_TIMES_RELU_DERIVATIVE: TIMES(T(times_relu_derivative)) break;
    case BPCORE_TIMES_SIGMOID_DERIVATIVE: TIMES(T(times_sigmoid_derivative)) break;
    case BPCORE_TIMES_TANH_DERIVATIVE: TIMES(T(times_tanh_derivative)) break;
    case BPCORE_DESCEND: {
        REAL *state = (REAL *)p->state + corner;
        const bpcore_rule rule = p->optimizer->rule;
        /* Rows narrower than a vector are contiguous: as one array they are loaded as
         * whole vectors, whereas a masked load would wait for the masked store next to
         * it. */
        const int narrow = !whole && c_row < T(LANES), other = rule >= BPCORE_SGD;
        const ptrdiff_t g_row = narrow ? c_row : nv * T(LANES);
        REAL g[BPCORE_TILE_ROWS * 8 * T(LANES)];
        if (narrow || other)
            BPCORE_UNROLL for (int r = 0; r < rows; r++)
                BPCORE_UNROLL for (int v = 0; v < nv; v++)
                    T(store_part)(g + r * g_row + v * T(LANES), sum[r][v], whole, tail);
        if (other) {
            const ptrdiff_t cols = narrow ? rows * c_row : block->cols;
            T(descend_rows)(rule, &block->rates, C, state, c_row, g, g_row,
                            narrow ? 1 : rows, cols);
            break;
        }
        const T(rates) rates = block->rates;
        switch (rule) {
#define CASE(RULE, name)                                                              \
    case BPCORE_##RULE:                                                               \
        if (narrow)                                                                   \
            T(descend_plain_array)(BPCORE_##RULE, rates, C, state, g, rows * c_row);  \
        else                                                                          \
            EACH_VECTOR(c_row, T(descend_plain)(BPCORE_##RULE, rates, C + at,         \
                                                state + at, sum[r][v], whole, tail))  \
        break;
            BPCORE_EACH_PLAIN_RULE(CASE)
#undef CASE
        default: break;
        }
    }
    }
#undef EACH_VECTOR
#undef STORE
#undef TIMES
}

/* Each tile shape is a function of its own, with its loops unrolled into registers: in
 * a common function the compiler would allocate registers worse. */
typedef void T(shape)(const bpcore_product *p, const T(block) *block, T(tail) tail);
#define SHAPE(name, rows, nv, whole)                                                  \
    BPCORE_NOINLINE static void T(name)(const bpcore_product *p, const T(block) *b,   \
                                        T(tail) tail) {                               \
        T(tile)(p, b, rows, nv, whole, tail);                                         \
    }
#define ROWS(r)                      \
    SHAPE(tile_##r##_by_2, r, 2, 1)   \
    SHAPE(tile_##r##_by_1, r, 1, 1)   \
    SHAPE(tile_##r##_tail, r, 1, 0)
BPCORE_EACH_TILE_ROWS(ROWS)
SHAPE(tile_1_by_4, 1, 4, 1)
SHAPE(tile_1_by_8, 1, 8, 1)
#undef ROWS
#undef SHAPE

/* All terms of the block, one chain at a time.  (The block is never copied: reading
 * fields just written in wider pieces would stall.) */
static void T(chains)(T(shape) *tile, const bpcore_product *p, T(block) *b,
                      T(tail) tail) {
    const ptrdiff_t k0 = b->k0, k1 = b->k1;
    const REAL *const A = b->A, *const B = b->B;
    for (; b->k0 < k1; b->k0 = b->k1) {
        b->k1 = bpcore_min(b->k0 + BPCORE_CHAIN, k1);
        tile(p, b, tail);
        b->A += BPCORE_CHAIN * b->a_col, b->B += BPCORE_CHAIN * b->b_row;
    }
    b->k0 = k0, b->k1 = k1, b->A = A, b->B = B;
}

/* The same for `rows` up to TILE_ROWS and any `cols`; advances j, B and partial past
 * the whole tiles.  A single row uses tiles of WIDE columns, since each of its sums
 * depends on the multiply-add before. */
static void T(any_tile)(const bpcore_product *p, T(block) *b, ptrdiff_t rows,
                        ptrdiff_t cols) {
#define BY_2(r) T(tile_##r##_by_2),
#define BY_1(r) T(tile_##r##_by_1),
#define TAIL(r) T(tile_##r##_tail),
    static T(shape) *const by_2[] = {BPCORE_EACH_TILE_ROWS(BY_2)};
    static T(shape) *const by_1[] = {BPCORE_EACH_TILE_ROWS(BY_1)};
    static T(shape) *const by_tail[] = {BPCORE_EACH_TILE_ROWS(TAIL)};
#undef BY_2
#undef BY_1
#undef TAIL
    const T(tail) none = T(make_tail)(T(LANES));
#define EACH(columns)                                                       \
    for (b->cols = (columns); cols >= (columns);                            \
         cols -= (columns), b->j += (columns), b->B += (columns),           \
        b->partial += (columns))
    if (rows == 1) {
        EACH(T(WIDE)) T(chains)(T(tile_1_by_8), p, b, none);
        EACH(T(WIDE) / 2) T(chains)(T(tile_1_by_4), p, b, none);
    }
    EACH(T(NR)) T(chains)(by_2[rows - 1], p, b, none);
    EACH(T(LANES)) T(chains)(by_1[rows - 1], p, b, none);
#undef EACH
    b->cols = cols;
    if (cols > 0) T(chains)(by_tail[rows - 1], p, b, T(make_tail)(cols));
}
