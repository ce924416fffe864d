/* Mini-batches of one row that is mostly zeros: rows of W whose input is 0 are skipped.
 * Same bits as the register tile (tile.h), for finite W: list.h has the reason for the sum
 * of a chain, and it holds for sums of chains too, which are added in order.  Where the
 * result is -0, the columns are computed again with every term. */

/* Terms per block. */
enum { T(SPARSE_CHAINS) = 16, T(SPARSE_TERMS) = T(SPARSE_CHAINS) * BPCORE_CHAIN };

/* The nonzero inputs of a block of terms: index[0 .. ends[0]) are those of the first
 * chain, index[ends[0] .. ends[1]) those of the second, and so on. */
typedef struct {
    const REAL *a; /* from the first term of the block */
    ptrdiff_t chains;
    uint16_t ends[T(SPARSE_CHAINS)];
    uint16_t index[T(SPARSE_TERMS)];
} T(nonzeros);

/* The number of elements of x (size,) that are 0. */
static ptrdiff_t T(count_zeros)(const REAL *x, ptrdiff_t size) {
    union { T(ivec) vector; INT lanes[T(LANES)]; } found = {
        .vector = (T(ivec)){0}};
    const ptrdiff_t rest = size % T(LANES), whole = size - rest;
    ptrdiff_t zeros = 0;
    for (ptrdiff_t i = 0; i < whole; i += T(LANES))
        found.vector -= T(equal)(T(load)(x + i), (T(vec)){0});
    for (int lane = 0; lane < T(LANES); lane++) zeros += (ptrdiff_t)found.lanes[lane];
    for (ptrdiff_t i = whole; i < size; i++) zeros += x[i] == 0;
    return zeros;
}

/* Whether it pays to skip the rows of W (n_in, n_out) whose input is 0: 5 of 8 are.
 * (With half of them, nothing is gained.) */
static int T(mostly_zeros)(const REAL *a, ptrdiff_t n_in, ptrdiff_t n_out) {
    return n_in * n_out >= BPCORE_SPARSE_SIZE &&
           8 * T(count_zeros)(a, n_in) >= 5 * n_in;
}

/* The nonzero inputs among the first `terms` of a, up to SPARSE_TERMS.  Zeros are often
 * in runs: groups of them, of 32 bytes, are passed over. */
static void T(collect)(T(nonzeros) *found, const REAL *a, ptrdiff_t terms) {
    enum { GROUP = 32 / sizeof(REAL) };
    ptrdiff_t count = 0;
    found->a = a, found->chains = 0;
    for (ptrdiff_t k = 0; k < terms;) {
        const ptrdiff_t end = bpcore_min(k + BPCORE_CHAIN, terms);
        while (k < end) {
            const ptrdiff_t to = bpcore_min(k + GROUP, end);
            if (to - k == GROUP && T(are_zeros)(a + k, GROUP)) {
                k = to;
                continue;
            }
            for (; k < to; k++) {
                INT bits; /* tested without its sign as an integer: half the time */
                memcpy(&bits, a + k, sizeof(bits));
                found->index[count] = (uint16_t)k;
                count += (bits & ~INT_SIGN_BIT) != 0;
            }
        }
        found->ends[found->chains++] = (uint16_t)count;
    }
}

/* out = start + a @ W over the nonzero terms of a block, for nv vectors of columns, the
 * last of them whole or a tail; with `continues`, out = out + a @ W.  Returns whether no
 * sum is -0.      W: from the block's first row, rows n_out apart */
BPCORE_INLINE int T(sparse_strip)(const T(nonzeros) *terms, REAL *out, const REAL *W,
                                  const REAL *start, ptrdiff_t n_out, int continues,
                                  const int nv, const int whole, T(tail) tail) {
    T(vec) sum[8], total[8];
#define EACH_VECTOR(statement) \
    BPCORE_UNROLL for (int v = 0; v < nv; v++) { statement; }
#define PART(from) T(load_part)((from) + v * T(LANES), whole, tail)
    EACH_VECTOR(total[v] = continues ? PART(out) : (T(vec)){0})
    ptrdiff_t i = 0;
    for (ptrdiff_t chain = 0; chain < terms->chains; chain++) {
        const int first = chain == 0 && !continues;
        EACH_VECTOR(sum[v] = first && start ? PART(start) : (T(vec)){0})
        for (; i < terms->ends[chain]; i++) {
            const ptrdiff_t k = terms->index[i];
            const T(vec) a = T(broadcast)(terms->a[k]);
            const REAL *row = W + k * n_out;
            EACH_VECTOR(sum[v] = T(fma)(a, PART(row), sum[v]))
        }
        EACH_VECTOR(total[v] = first ? sum[v] : sum[v] + total[v])
    }
    EACH_VECTOR(T(store_part)(out + v * T(LANES), total[v], whole, tail))
#undef PART
    if (!whole) total[0] = T(join)(tail, total[0], T(broadcast)(1));
    T(ivec) minus_zero = {0};
    EACH_VECTOR(minus_zero |= T(minus_zeros)(total[v]))
#undef EACH_VECTOR
    return !T(any)(minus_zero);
}

/* Each width is a function of its own, with its sums in registers. */
typedef int T(strip)(const T(nonzeros) *terms, REAL *out, const REAL *W,
                     const REAL *start, ptrdiff_t n_out, int continues, T(tail) tail);
#define STRIP(name, nv, whole)                                                        \
    BPCORE_NOINLINE static int T(name)(const T(nonzeros) *terms, REAL *out,           \
                                       const REAL *W, const REAL *start,              \
                                       ptrdiff_t n_out, int continues, T(tail) tail) {\
        return T(sparse_strip)(terms, out, W, start, n_out, continues, nv, whole,     \
                               tail);                                                 \
    }
STRIP(sparse_by_8, 8, 1)
STRIP(sparse_by_4, 4, 1)
STRIP(sparse_by_1, 1, 1)
STRIP(sparse_tail, 1, 0)
#undef STRIP

/* out[first .. end) = b + a @ W for this worker's columns, skipping the rows of W whose
 * input is 0.      a (n_in,)  W (n_in, n_out), finite  b (n_out,) or NULL */
static void T(multiply_nonzeros)(const bpcore_worker *worker, REAL *out, const REAL *a,
                                 const REAL *W, const REAL *b, ptrdiff_t n_in,
                                 ptrdiff_t n_out) {
    ptrdiff_t first, end, cols;
    bpcore_worker_range(worker, n_out, T(NR), &first, &end);
    T(nonzeros) terms;
    for (ptrdiff_t k = 0; k < n_in; k += T(SPARSE_TERMS)) {
        T(collect)(&terms, a + k, bpcore_min(T(SPARSE_TERMS), n_in - k));
        for (ptrdiff_t j = first; j < end; j += cols) {
            const ptrdiff_t left = end - j;
            const int vectors = left >= 8 * T(LANES)   ? 8
                                : left >= 4 * T(LANES) ? 4
                                                       : 1;
            cols = bpcore_min(vectors * T(LANES), left);
            T(strip) *const strip = vectors == 8        ? T(sparse_by_8)
                                    : vectors == 4      ? T(sparse_by_4)
                                    : cols == T(LANES) ? T(sparse_by_1)
                                                        : T(sparse_tail);
            const int same = strip(&terms, out + j, W + k * n_out + j, b ? b + j : NULL,
                                   n_out, k > 0, T(make_tail)(bpcore_min(cols, T(LANES))));
            if (same || k + T(SPARSE_TERMS) < n_in) continue;
            const bpcore_worker alone = {.count = 1, .room = worker->room};
            bpcore_product p = bpcore_affine(a, W + j, 1, n_in, n_out);
            p.n = cols, p.C = out + j, p.start = b ? b + j : NULL;
            T(multiply)(&alone, &p);
        }
    }
}

/* --- the update --- */

/* Whether a gradient of 0 leaves every finite w as it is, -0 too: w - rate (+0) is w if
 * -rate (+0) is -0.  The gradient is +0: fma(0, delta, +0) for finite delta, and then
 * fma(add_l2, w, +0) for add_l2 = 0. */
static int T(zero_is_no_step)(const bpcore_optimizer *optimizer, const REAL *delta,
                              ptrdiff_t n_out) {
    const T(rates) rates = T(plain_rates)(optimizer);
    return optimizer->step_rule == BPCORE_PLAIN && rates.add_l2 == 0 &&
           !signbit(rates.rate) && rates.rate <= LARGEST &&
           T(all_between)(delta, n_out, -LARGEST, LARGEST);
}

/* `descend_rank_one` for finite W and a rule for which `zero_is_no_step`, without the
 * rows whose input is 0.      a (n_in,)  delta (n_out,)  W (n_in, n_out) */
static void T(descend_nonzeros)(const bpcore_worker *worker,
                                const bpcore_optimizer *optimizer, REAL *W,
                                const REAL *a, const REAL *delta, ptrdiff_t n_in,
                                ptrdiff_t n_out) {
    const T(rates) rates = T(plain_rates)(optimizer);
    ptrdiff_t i, end, to;
    bpcore_worker_range(worker, n_in, 1, &i, &to);
    for (; i < to; i = end) {
        end = i + 1;
        if (a[i] == 0) continue;
        while (end < to && a[end] != 0) end++;
        REAL *const w = W + i * n_out;
        T(rank_one_plain)(BPCORE_PLAIN, rates, w, w, a + i, delta, end - i, n_out);
    }
}
