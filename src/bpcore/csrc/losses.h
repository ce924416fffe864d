/* One sample's loss and its output delta, already times `scale` (the sample's share
 * of the mini-batch mean).  z or a, y and delta are rows of n; delta may be neither. */

TERM(squared_difference, (x - y) * (x - y))
TERM(difference_times_c, (x - y) * c)
/* y (c - x), and 0 for y = 0 even where c - x is infinite */
TERM(cross_entropy_of, T(select)(T(equal)(y, (T(vec)){0}), y, y * (c - x)))
TERM(binary_cross_entropy_of, T(relu)(x) - x * y + T(log1p)(T(exp)(-T(abs)(x))))
TERM(sigmoid_difference_times_c, (T(sigmoid)(x) - y) * c)

/* E = factor * sum (a - y)^2       delta = 2 * factor * (a - y) */
static REAL T(squared_error_row)(REAL *delta, const REAL *a, const REAL *y, REAL factor,
                                 REAL scale, ptrdiff_t n) {
    T(combine)(T(difference_times_c), delta, a, y, 2 * factor * scale, n);
    return factor * T(row_sum)(T(squared_difference), a, y, 0, n);
}

static REAL T(log_of)(REAL x) { return T(first_lane)(T(log)(T(broadcast)(x))); }

/* E = -sum y log softmax(z)        delta = softmax(z) * sum y - y */
static REAL T(cross_entropy_row)(REAL *delta, const REAL *z, const REAL *y, REAL scale,
                                 ptrdiff_t n) {
    T(combine)(T(x_minus_c), delta, z, z, T(row_max)(z, n), n);
    const REAL sum = T(row_sum)(T(exp_of_x), delta, delta, 0, n);
    const REAL loss = T(row_sum)(T(cross_entropy_of), delta, y, T(log_of)(sum), n);
    const REAL total = T(row_sum)(T(x_of), y, y, 0, n);
    T(map)(T(exp), delta, delta, n);
    T(combine)(T(x_times_c), delta, delta, delta, total / sum, n);
    T(combine)(T(difference_times_c), delta, delta, y, scale, n);
    return loss;
}

/* The same for y = 1 at `label` and 0 elsewhere, bit for bit. */
static REAL T(cross_entropy_label_row)(REAL *delta, const REAL *z, int64_t label,
                                       REAL scale, ptrdiff_t n) {
    /* The caller's labels are used in place, and may have changed since they were
     * checked: that must not write elsewhere. */
    if (label < 0 || label >= n) return (REAL)NAN;
    REAL highest, sum;
    if (n <= T(LANES)) {
        const T(tail) tail = T(make_tail)(n);
        const T(vec) e = T(narrow_exp)(z, tail, &highest, &sum);
        const T(vec) a = e * T(broadcast)(1 / sum), share = T(broadcast)(scale);
        const T(vec) d = T(select)(T(only)(label), (a - 1) * share, a * share);
        T(store_tail)(delta, d, tail);
    } else {
        highest = T(row_max)(z, n);
        T(combine)(T(exp_of_difference), delta, z, z, highest, n);
        sum = T(row_sum)(T(x_of), delta, delta, 0, n);
        const REAL at_label = (delta[label] * (1 / sum) - 1) * scale;
        T(combine)(T(x_times_c), delta, delta, delta, 1 / sum, n);
        T(combine)(T(x_times_c), delta, delta, delta, scale, n);
        delta[label] = at_label;
    }
    return T(log_of)(sum) - (z[label] - highest);
}

/* E = sum max(z, 0) - z y + log(1 + exp(-|z|))      delta = sigmoid(z) - y */
static REAL T(binary_cross_entropy_row)(REAL *delta, const REAL *z, const REAL *y,
                                        REAL scale, ptrdiff_t n) {
    const REAL loss = T(row_sum)(T(binary_cross_entropy_of), z, y, 0, n);
    T(combine)(T(sigmoid_difference_times_c), delta, z, y, scale, n);
    return loss;
}
#undef TERM

/* One row of any loss: targets in y, or (cross-entropy only, y NULL) in `label`. */
static REAL T(loss_row)(bpcore_loss kind, REAL *delta, const REAL *z, const REAL *y,
                        int64_t label, REAL scale, ptrdiff_t n) {
    switch (kind) {
    case BPCORE_SQUARED_ERROR:
        return T(squared_error_row)(delta, z, y, (REAL)0.5, scale, n);
    case BPCORE_MEAN_SQUARED_ERROR:
        return T(squared_error_row)(delta, z, y, 1 / (REAL)n, scale, n);
    case BPCORE_CROSS_ENTROPY:
        return y ? T(cross_entropy_row)(delta, z, y, scale, n)
                 : T(cross_entropy_label_row)(delta, z, label, scale, n);
    case BPCORE_BINARY_CROSS_ENTROPY:
        return T(binary_cross_entropy_row)(delta, z, y, scale, n);
    }
    return 0;
}
