/* The register tile: up to TILE_ROWS x NR elements of a product (see types.h), held
 * in registers during the loop over k.  Each element is one accumulator with one fused
 * multiply-add per k in ascending order, in chains of BPCORE_CHAIN terms: the first
 * starts at `start`, the others at 0, and each is added to the sum of those before it.
 * Then `finish` is applied once.  So no bit depends on the tile an element is in.
 * C is only written, except where a sum is continued or a weight is updated. */

/* Layouts of A and B that a tile is compiled for: any strides; B copied, rows of A in
 * place; both copied. */
enum { T(IN_PLACE), T(COPIED_B), T(COPIED) };

/* Elements C[i:, j:] and terms k0 .. k1 of a product.  A points to row i and B to
 * column j, both at term k0, in place or in a copy.  `partial` points to the partial
 * sums of these elements, with row stride w_row. */
typedef struct {
    ptrdiff_t i, j, k0, k1;
    const REAL *A;
    ptrdiff_t a_row, a_col;
    const REAL *B;
    ptrdiff_t b_row, panel; /* strides from a term, and from NR columns, to the next */
    REAL *partial;
    ptrdiff_t w_row, w_panel; /* strides between its rows, and between NR columns */
    ptrdiff_t cols;           /* columns of this tile */
    int layout, prefetches;
    const bpcore_list *list; /* of each chain, or NULL: every term is added */
    const T(rates) *rates;   /* for BPCORE_DESCEND */
} T(block);

/* Prefetches `rows` rows of up to a cache line each, unaligned. */
BPCORE_INLINE void T(prefetch_rows)(const REAL *at, ptrdiff_t row, const int rows,
                                    const int nv) {
    BPCORE_UNROLL for (int r = 0; r < rows; r++) {
        BPCORE_PREFETCH_NEAR(at + r * row);
        BPCORE_PREFETCH_NEAR(at + r * row + nv * T(LANES) - 1);
    }
}

/* Prefetches what the tile needs after its sums: their partial sums, C, and the
 * activations or the optimizer's state. */
BPCORE_INLINE void T(prefetch_tile)(const bpcore_product *p, const T(block) *block,
                                    const int rows, const int nv) {
    const ptrdiff_t corner = block->i * p->c_row + block->j;
    const REAL *C = p->C, *other = p->finish == BPCORE_DESCEND ? p->state : p->a;
    if (p->finish != BPCORE_DESCEND || block->k1 == p->k)
        T(prefetch_rows)(C + corner, p->c_row, rows, nv);
    if (p->finish == BPCORE_DESCEND && (block->k0 > 0 || block->k1 < p->k))
        T(prefetch_rows)(block->partial, block->w_row, rows, nv);
    if (other && other != C && block->k1 == p->k)
        T(prefetch_rows)(other + corner, p->c_row, rows, nv);
}

/* The epilogue of a tile whose sums are in a buffer g. */
BPCORE_NOINLINE static void T(finish_rows)(const bpcore_product *p,
                                           const T(block) *block, const REAL *g,
                                           ptrdiff_t g_row, ptrdiff_t rows,
                                           ptrdiff_t cols) {
    const ptrdiff_t corner = block->i * p->c_row + block->j;
    REAL *C = (REAL *)p->C + corner;
    if (p->finish == BPCORE_DESCEND) {
        T(descend_rows)(p->optimizer->step_rule, block->rates, C,
                        (REAL *)p->state + corner, p->c_row, g, g_row, rows, cols);
        return;
    }
    const REAL *a = p->finish > BPCORE_STORE_RELU ? (const REAL *)p->a + corner : C;
    for (; rows > 0; rows--, C += p->c_row, a += p->c_row, g += g_row)
        switch (p->finish) {
#define CASE(finish, term) \
    case finish: T(combine)(T(term), C, g, a, 0, cols); break;
            CASE(BPCORE_TIMES_RELU_DERIVATIVE, x_times_relu_derivative)
            CASE(BPCORE_TIMES_SIGMOID_DERIVATIVE, x_times_sigmoid_derivative)
            CASE(BPCORE_TIMES_TANH_DERIVATIVE, x_times_tanh_derivative)
#undef CASE
        case BPCORE_STORE_RELU: T(map)(T(relu), C, g, cols); break;
        default: memcpy(C, g, (size_t)cols * sizeof(REAL));
        }
}

/* One chain of terms of `rows` rows of the block by nv vectors, the last of them whole
 * or a tail; the listed terms only, or every term.  Returns whether it is done: not if a
 * sum of listed terms is -0. */
BPCORE_INLINE int T(tile)(const bpcore_product *p, const T(block) *block,
                          const int rows, const int nv, const int whole,
                          T(tail) tail, const int layout, const int listed) {
    const ptrdiff_t a_row = layout == T(COPIED) ? 1 : block->a_row;
    const ptrdiff_t a_col = layout == T(COPIED)     ? rows
                            : layout == T(COPIED_B) ? 1
                                                    : block->a_col;
    const ptrdiff_t b_row = layout == T(IN_PLACE) ? block->b_row : T(NR);
    const ptrdiff_t c_row = p->c_row, corner = block->i * c_row + block->j;
    const REAL *A = block->A, *B = block->B;
    T(vec) sum[BPCORE_TILE_ROWS][8];

#define EACH_VECTOR(row, statement)                                       \
    BPCORE_UNROLL for (int r = 0; r < rows; r++)                          \
        BPCORE_UNROLL for (int v = 0; v < nv; v++) {                      \
            const ptrdiff_t at = r * (row) + v * T(LANES);                \
            const int full = whole || v < nv - 1;                         \
            (void)at, (void)full;                                         \
            statement;                                                    \
        }
    if (block->prefetches) T(prefetch_tile)(p, block, rows, nv);
    if (block->k0 == 0 && p->start) {
        const REAL *start = (const REAL *)p->start + block->j;
        EACH_VECTOR(0, sum[r][v] = T(load_part)(start + at, full, tail))
    } else {
        EACH_VECTOR(0, sum[r][v] = (T(vec)){0})
    }
    ptrdiff_t k = block->k1 - block->k0;
    if (layout != T(IN_PLACE) && !listed) { /* several terms at constant offsets */
        enum { TERMS = BPCORE_TILE_TERMS };
        const REAL *row[BPCORE_TILE_ROWS];
        BPCORE_UNROLL for (int r = 0; r < rows; r++) row[r] = A + r * a_row;
        for (; k >= TERMS; k -= TERMS) {
            BPCORE_UNROLL for (int term = 0; term < TERMS; term++) {
                T(vec) b[8];
                BPCORE_UNROLL for (int v = 0; v < nv; v++)
                    b[v] = T(load)(B + term * T(NR) + v * T(LANES));
                BPCORE_UNROLL for (int r = 0; r < rows; r++) {
                    const REAL *at = layout == T(COPIED) ? row[0] + r : row[r];
                    const T(vec) a = T(broadcast)(at[term * a_col]);
                    BPCORE_UNROLL for (int v = 0; v < nv; v++)
                        T(accumulate)(&sum[r][v], a, b[v]);
                }
            }
            B += TERMS * T(NR);
            BPCORE_UNROLL for (int r = 0; r < rows; r++) {
                row[r] += TERMS * a_col;
                BPCORE_OPAQUE(row[r]);
            }
        }
        A = row[0];
    }
    /* Rows of A are addressed by two pointers and two strides, to save registers. */
    const REAL *A4 = A + 4 * a_row;
    ptrdiff_t a_3rows = 3 * a_row;
#define ADD_TERM(A, A4, B)                                                      \
    {                                                                           \
        T(vec) b[8];                                                            \
        BPCORE_UNROLL for (int v = 0; v < nv; v++)                              \
            b[v] = T(load_part)((B) + v * T(LANES), whole || v < nv - 1, tail); \
        BPCORE_UNROLL for (int r = 0; r < rows; r++) {                          \
            const ptrdiff_t row = r % 4 == 3 ? a_3rows : r % 4 * a_row;         \
            const T(vec) a = T(broadcast)((r < 4 ? (A) : (A4))[row]);           \
            BPCORE_UNROLL for (int v = 0; v < nv; v++)                          \
                sum[r][v] = T(fma)(a, b[v], sum[r][v]);                         \
        }                                                                       \
    }
    if (listed) {
        T(ivec) minus_zero = {0};
        const uint8_t *term = block->list->term, *end = term + block->list->count;
        BPCORE_OPAQUE(A4);
        BPCORE_OPAQUE(a_3rows);
        for (; term < end; term++) {
            const REAL *at = A + *term * a_col, *at4 = A4 + *term * a_col;
            ADD_TERM(at, at4, B + *term * b_row)
        }
        EACH_VECTOR(0, minus_zero |= T(minus_zeros)(sum[r][v]))
        if (T(any)(minus_zero)) return 0;
    }
    for (; k > 0 && !listed; k--) {
        ADD_TERM(A, A4, B)
        A += a_col, A4 += a_col, B += b_row;
    }
#undef ADD_TERM
    REAL *partial = block->partial;
    if (block->k0 > 0)
        EACH_VECTOR(block->w_row, sum[r][v] += T(load_part)(partial + at, full, tail))
    if (block->k1 < p->k) {
        EACH_VECTOR(block->w_row, T(store_part)(partial + at, sum[r][v], full, tail))
        return 1;
    }

    if (!whole) { /* whole vectors into a buffer; the next row overwrites the rest */
        const int contiguous = c_row == block->cols;
        const ptrdiff_t g_row = contiguous ? c_row : nv * T(LANES);
        REAL g[BPCORE_TILE_ROWS * 2 * T(LANES)];
        EACH_VECTOR(g_row, T(store)(g + at, sum[r][v]))
        T(finish_rows)(p, block, g, g_row, contiguous ? 1 : rows,
                       contiguous ? rows * c_row : block->cols);
        return 1;
    }
    REAL *C = (REAL *)p->C + corner;
#define STORE(value) EACH_VECTOR(c_row, T(store)(C + at, value))
#define TIMES(derivative)                                                 \
    {                                                                     \
        const REAL *a = (const REAL *)p->a + corner;                       \
        STORE(derivative(sum[r][v], T(load)(a + at)))                     \
    }
    switch (p->finish) {
    case BPCORE_STORE: STORE(sum[r][v]) break;
    case BPCORE_STORE_RELU: STORE(T(relu)(sum[r][v])) break;
    case BPCORE_TIMES_RELU_DERIVATIVE: TIMES(T(times_relu_derivative)) break;
    case BPCORE_TIMES_SIGMOID_DERIVATIVE: TIMES(T(times_sigmoid_derivative)) break;
    case BPCORE_TIMES_TANH_DERIVATIVE: TIMES(T(times_tanh_derivative)) break;
    case BPCORE_DESCEND: {
        REAL *state = (REAL *)p->state + corner;
        const T(rates) rates = *block->rates;
        switch (p->optimizer->step_rule) {
#define CASE(RULE, name)                                                              \
    case BPCORE_##RULE:                                                               \
        EACH_VECTOR(c_row, T(descend_plain)(BPCORE_##RULE, rates, C + at, state + at, \
                                            sum[r][v], 1, tail))                      \
        break;
            BPCORE_EACH_PLAIN_RULE(CASE)
#undef CASE
        default: {
            REAL g[BPCORE_TILE_ROWS * 8 * T(LANES)];
            EACH_VECTOR(nv * T(LANES), T(store)(g + at, sum[r][v]))
            T(finish_rows)(p, block, g, nv * T(LANES), rows, nv * T(LANES));
        }
        }
    }
    }
    return 1;
#undef EACH_VECTOR
#undef STORE
#undef TIMES
}

/* Each tile shape is a function of its own, with its loops unrolled into registers: in
 * a common function the compiler would allocate registers worse. */
typedef int T(shape)(const bpcore_product *p, const T(block) *block, T(tail) tail);
#define TILE(name, rows, nv, whole, layout, listed)                                   \
    BPCORE_NOINLINE static int T(name)(const bpcore_product *p, const T(block) *b,    \
                                       T(tail) tail) {                                \
        return T(tile)(p, b, rows, nv, whole, tail, layout, listed);                  \
    }
#define SHAPE(name, rows, nv, whole, layout) TILE(name, rows, nv, whole, layout, 0)
#define LISTED_SHAPE(name, nv, whole) \
    TILE(name, BPCORE_TILE_ROWS, nv, whole, T(IN_PLACE), 1)
#define ROWS(r)                                   \
    SHAPE(tile_##r##_by_2, r, 2, 1, T(IN_PLACE))   \
    SHAPE(tile_##r##_by_1, r, 1, 1, T(IN_PLACE))   \
    SHAPE(tile_##r##_tail_2, r, 2, 0, T(IN_PLACE)) \
    SHAPE(tile_##r##_tail, r, 1, 0, T(IN_PLACE))
BPCORE_EACH_TILE_ROWS(ROWS)
SHAPE(tile_copied_B, BPCORE_TILE_ROWS, 2, 1, T(COPIED_B))
SHAPE(tile_copied, BPCORE_TILE_ROWS, 2, 1, T(COPIED))
LISTED_SHAPE(tile_listed, 2, 1)
LISTED_SHAPE(tile_listed_tail_2, 2, 0)
LISTED_SHAPE(tile_listed_tail, 1, 0)
SHAPE(tile_1_by_4, 1, 4, 1, T(IN_PLACE))
SHAPE(tile_1_by_8, 1, 8, 1, T(IN_PLACE))
#undef ROWS
#undef TILE
#undef SHAPE
#undef LISTED_SHAPE

#define TABLE(table, NAME) \
    static T(shape) *const T(table)[] = {BPCORE_EACH_TILE_ROWS(NAME)};
#define BY_2(r) T(tile_##r##_by_2),
#define BY_1(r) T(tile_##r##_by_1),
#define TAIL_2(r) T(tile_##r##_tail_2),
#define TAIL(r) T(tile_##r##_tail),
TABLE(by_2, BY_2)
TABLE(by_1, BY_1)
TABLE(by_tail_2, TAIL_2)
TABLE(by_tail, TAIL)
#undef TABLE
#undef BY_2
#undef BY_1
#undef TAIL_2
#undef TAIL

/* All terms of the block, one chain at a time; where a tile of listed terms is not done
 * (no other tile is ever not done), `every` adds every term.  (The block is never copied: reading fields just written in
 * wider pieces would stall.) */
static void T(chains)(T(shape) *tile, T(shape) *every, const bpcore_product *p,
                      T(block) *b, T(tail) tail) {
    const ptrdiff_t k0 = b->k0, k1 = b->k1;
    const REAL *const A = b->A, *const B = b->B;
    const bpcore_list *const list = b->list;
    for (; b->k0 < k1; b->k0 = b->k1) {
        b->k1 = bpcore_min(b->k0 + BPCORE_CHAIN, k1);
        if (!tile(p, b, tail)) every(p, b, tail);
        b->A += BPCORE_CHAIN * b->a_col, b->B += BPCORE_CHAIN * b->b_row;
        if (list) b->list++;
    }
    b->k0 = k0, b->k1 = k1, b->A = A, b->B = B, b->list = list;
}

/* Past so many columns, which are whole panels. */
static inline void T(next_columns)(T(block) *b, ptrdiff_t cols) {
    b->j += cols;
    b->partial += cols / T(NR) * b->w_panel, b->B += cols / T(NR) * b->panel;
}

/* The same for `rows` up to TILE_ROWS and any `cols`; advances j, B and partial past
 * the whole tiles.  A single row uses tiles of WIDE columns, since each of its sums
 * depends on the multiply-add before. */
static void T(any_tile)(const bpcore_product *p, T(block) *b, ptrdiff_t rows,
                        ptrdiff_t cols) {
    const T(tail) none = T(make_tail)(T(LANES));
    T(shape) *by_NR = T(by_2)[rows - 1];
    if (rows == BPCORE_TILE_ROWS && b->layout != T(IN_PLACE))
        by_NR = b->layout == T(COPIED) ? T(tile_copied) : T(tile_copied_B);
#define EACH(columns, shape)                                         \
    for (b->cols = (columns); cols >= (columns); cols -= (columns)) { \
        T(chains)(shape, NULL, p, b, none);                          \
        T(next_columns)(b, columns);                                 \
    }
    if (rows == 1 && b->layout == T(IN_PLACE)) {
        EACH(T(WIDE), T(tile_1_by_8))
        EACH(T(WIDE) / 2, T(tile_1_by_4))
    }
    EACH(T(NR), by_NR)
#undef EACH
    b->cols = cols;
    if (cols > T(LANES))
        T(chains)(T(by_tail_2)[rows - 1], NULL, p, b, T(make_tail)(cols - T(LANES)));
    else if (cols == T(LANES))
        T(chains)(T(by_1)[rows - 1], NULL, p, b, none);
    else if (cols > 0)
        T(chains)(T(by_tail)[rows - 1], NULL, p, b, T(make_tail)(cols));
}
