/* Normalisation of u = a @ W before the activation, and other operations on columns:
 *
 *     hat = (u - mean) / sqrt(variance + eps)        y = gain hat + shift
 *
 * with mean and variance of each column over the rows of the mini-batch (batch norm) or
 * of each row over its columns (layer norm).  Sums over rows are chains like those of a
 * product (tile.h), sums along a row are those of rows.h. */

/* Loop over columns first .. end in blocks of up to LANES columns, from j on. */
#define EACH_COLUMNS                                                             \
    for (ptrdiff_t j = first; j < end; j += T(LANES)) {                          \
        const int whole = end - j >= T(LANES);                                   \
        const T(tail) tail = T(make_tail)(whole ? T(LANES) : end - j);
#define END_COLUMNS }
#define LOAD(p) T(load_part)(p, whole, tail)
#define STORE(p, value) T(store_part)(p, value, whole, tail)

/* Sum over n rows of s x[i] s y[i], or of s x[i] if y is NULL, for a block of
 * columns. */
BPCORE_INLINE T(vec) T(column_sum)(const REAL *x, const REAL *y, T(vec) s, ptrdiff_t n,
                                   ptrdiff_t width, int whole, T(tail) tail) {
    T(vec) total = {0};
    for (ptrdiff_t k0 = 0; k0 < n; k0 += BPCORE_CHAIN) {
        const ptrdiff_t k1 = bpcore_min(k0 + BPCORE_CHAIN, n);
        T(vec) sum = {0};
        for (ptrdiff_t k = k0; k < k1; k++)
            sum = T(fma)(LOAD(x + k * width) * s,
                         y ? LOAD(y + k * width) * s : T(broadcast)(1), sum);
        total = k0 ? sum + total : sum;
    }
    return total;
}

/* max |x[i]| over n rows for a block of columns, NaN ignored */
BPCORE_INLINE T(vec) T(column_largest)(const REAL *x, ptrdiff_t n, ptrdiff_t width,
                                       int whole, T(tail) tail) {
    T(vec) most = {0};
    for (ptrdiff_t k = 0; k < n; k++) most = T(max)(T(abs)(LOAD(x + k * width)), most);
    return most;
}

/* hat contains u on entry, and may be y; inverse = 1 / sqrt(variance + eps). */
static void T(batch_normalise)(REAL *y, REAL *hat, REAL *inverse, REAL *mean,
                               REAL *variance, const REAL *gain, const REAL *shift,
                               REAL eps, ptrdiff_t n, ptrdiff_t width, ptrdiff_t first,
                               ptrdiff_t end) {
    EACH_COLUMNS
        /* Computed for c u; c is 1, or a power of two where squares would overflow. */
        const T(vec) most = T(column_largest)(hat + j, n, width, whole, tail);
        const T(vec) c = T(at_most)(T(unit_scale)(most), 1), one = T(broadcast)(1);
        const T(vec) m = T(column_sum)(hat + j, NULL, c, n, width, whole, tail) / (REAL)n;
        for (ptrdiff_t i = 0; i < n; i++)
            STORE(hat + i * width + j, LOAD(hat + i * width + j) * c - m);
        const T(vec) v =
            T(column_sum)(hat + j, hat + j, one, n, width, whole, tail) / (REAL)n;
        const T(vec) inv = 1 / T(sqrt)(v + c * c * eps);
        const T(vec) g = LOAD(gain + j), s = LOAD(shift + j);
        for (ptrdiff_t i = 0; i < n; i++) {
            const T(vec) h = LOAD(hat + i * width + j) * inv;
            STORE(hat + i * width + j, h);
            STORE(y + i * width + j, T(fma)(h, g, s));
        }
        STORE(mean + j, m / c);
        STORE(variance + j, v / c / c);
        STORE(inverse + j, inv * c);
    END_COLUMNS
}

/* dgain = sum delta hat,  dshift = sum delta,
 * delta = gain inverse (delta - (dshift + hat dgain) / n) */
static void T(batch_normalise_back)(REAL *delta, REAL *dgain, REAL *dshift,
                                    const REAL *hat, const REAL *inverse,
                                    const REAL *gain, ptrdiff_t n, ptrdiff_t width,
                                    ptrdiff_t first, ptrdiff_t end) {
    EACH_COLUMNS
        const T(vec) one = T(broadcast)(1);
        const T(vec) dg = T(column_sum)(delta + j, hat + j, one, n, width, whole, tail);
        const T(vec) ds = T(column_sum)(delta + j, NULL, one, n, width, whole, tail);
        const T(vec) scale = LOAD(gain + j) * LOAD(inverse + j);
        for (ptrdiff_t i = 0; i < n; i++) {
            const ptrdiff_t at = i * width + j;
            const T(vec) mean = T(fma)(LOAD(hat + at), dg, ds) / (REAL)n;
            STORE(delta + at, (LOAD(delta + at) - mean) * scale);
        }
        STORE(dgain + j, dg);
        STORE(dshift + j, ds);
    END_COLUMNS
}

/* Layer norm: the same along rows; inverse[i] belongs to row i. */
static void T(layer_normalise)(REAL *y, REAL *hat, REAL *inverse, const REAL *gain,
                               const REAL *shift, REAL eps, ptrdiff_t width,
                               ptrdiff_t first, ptrdiff_t end) {
    for (ptrdiff_t i = first; i < end; i++) {
        REAL *const h = hat + i * width;
        const T(vec) most = T(broadcast)(T(largest)(h, width));
        const REAL c = T(first_lane)(T(at_most)(T(unit_scale)(most), 1));
        if (c != 1) T(combine)(T(x_times_c), h, h, h, c, width);
        const REAL mean = T(row_sum)(T(x_alone), h, h, 0, width) / (REAL)width;
        T(combine)(T(x_minus_c), h, h, h, mean, width);
        const REAL variance = T(row_sum)(T(x_times_y), h, h, 0, width) / (REAL)width;
        const REAL inv = 1 / T(first_lane)(T(sqrt)(T(broadcast)(variance + c * c * eps)));
        T(combine)(T(x_times_c), h, h, h, inv, width);
        inverse[i] = inv * c;
        T(combine)(T(x_times_y), y + i * width, h, gain, 0, width);
        T(combine)(T(x_plus_y), y + i * width, y + i * width, shift, 0, width);
    }
}

/* products = sum x y,  sums = sum x over n rows;  sums may be NULL */
BPCORE_NOINLINE static void T(column_sums)(REAL *products, REAL *sums, const REAL *x,
                                           const REAL *y, ptrdiff_t n, ptrdiff_t width,
                                           ptrdiff_t first, ptrdiff_t end) {
    EACH_COLUMNS
        const T(vec) one = T(broadcast)(1);
        STORE(products + j, T(column_sum)(x + j, y + j, one, n, width, whole, tail));
        if (sums)
            STORE(sums + j, T(column_sum)(x + j, NULL, one, n, width, whole, tail));
    END_COLUMNS
}

/* delta = inverse (d - mean(d) - hat mean(d hat)), d = delta gain */
static void T(layer_normalise_back)(REAL *delta, const REAL *hat, const REAL *inverse,
                                    const REAL *gain, ptrdiff_t width, ptrdiff_t first,
                                    ptrdiff_t end) {
    for (ptrdiff_t i = first; i < end; i++) {
        REAL *const d = delta + i * width;
        const REAL *const h = hat + i * width;
        T(combine)(T(x_times_y), d, d, gain, 0, width);
        const REAL mean = T(row_sum)(T(x_alone), d, d, 0, width) / (REAL)width;
        const REAL mean_dh = T(row_sum)(T(x_times_y), d, h, 0, width) / (REAL)width;
        T(combine)(T(x_minus_c), d, d, d, mean, width);
        T(combine)(T(x_minus_y_times_c), d, d, h, mean_dh, width);
        T(combine)(T(x_times_c), d, d, d, inverse[i], width);
    }
}

/* running = running + momentum (factor batch - running) */
static void T(follow_columns)(REAL *running, const REAL *batch, REAL factor,
                              REAL momentum, ptrdiff_t first, ptrdiff_t end) {
    EACH_COLUMNS
        const T(vec) r = LOAD(running + j);
        STORE(running + j, T(toward)(r, LOAD(batch + j) * factor, momentum));
    END_COLUMNS
}

/* Batch norm with constant mean and variance, folded into weights and biases:
 * scale = gain / sqrt(variance + eps),  W' = W scale,  b' = shift - mean scale */
static void T(fold_columns)(REAL *W_folded, REAL *b_folded, const REAL *W,
                            const REAL *shift, const REAL *gain, const REAL *mean,
                            const REAL *variance, REAL eps, ptrdiff_t n_in,
                            ptrdiff_t n_out, ptrdiff_t first, ptrdiff_t end) {
    EACH_COLUMNS
        const T(vec) scale = LOAD(gain + j) / T(sqrt)(LOAD(variance + j) + eps);
        STORE(b_folded + j, T(fma)(-LOAD(mean + j), scale, LOAD(shift + j)));
        for (ptrdiff_t i = 0; i < n_in; i++)
            STORE(W_folded + i * n_out + j, LOAD(W + i * n_out + j) * scale);
    END_COLUMNS
}

/* W[:, j] = W[:, j] min(1, most / |W[:, j]|) */
static void T(limit_norms_columns)(REAL *W, REAL most, ptrdiff_t n_in, ptrdiff_t n_out,
                                   ptrdiff_t first, ptrdiff_t end) {
    EACH_COLUMNS
        /* The norm of c W; c is 1, or a power of two where squares do not fit. */
        const T(vec) largest = T(column_largest)(W + j, n_in, n_out, whole, tail);
        const T(vec) c = T(unit_scale)(largest), limit = T(broadcast)(most);
        const T(vec) norm =
            T(sqrt)(T(column_sum)(W + j, W + j, c, n_in, n_out, whole, tail));
        const T(ivec) longer = T(less)(limit * c, norm);
        for (ptrdiff_t i = 0; i < n_in; i++) {
            const T(vec) w = LOAD(W + i * n_out + j);
            STORE(W + i * n_out + j, T(select)(longer, w * c * (limit / norm), w));
        }
    END_COLUMNS
}

#undef EACH_COLUMNS
#undef END_COLUMNS
#undef LOAD
#undef STORE
