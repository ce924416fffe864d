/* One sample's loss and its output delta, already times `scale` (1 / n for the mean
 * over a mini-batch).  x, y and delta are rows of n elements; delta shares no memory
 * with x and y. */

TERM(squared_difference, (x - y) * (x - y))
TERM(difference_times_c, (x - y) * c)
/* y (c - x), and 0 for y = 0 even where c - x is infinite */
TERM(cross_entropy_term, T(select)(T(equal)(y, (T(vec)){0}), y, y * (c - x)))
/* max(x, 0) - x y + log(1 + e^-|x|), and its limit where x is infinite */
static inline T(vec) T(binary_cross_entropy_term)(T(vec) x, T(vec) y, T(vec) c) {
    const T(vec) infinity = T(broadcast)((REAL)INFINITY);
    const T(vec) finite = T(at_most)(T(at_least)(x, -LARGEST), LARGEST);
    const T(vec) linear = T(relu)(finite) - finite * y;
    const T(ivec) wrong = T(equal)(T(abs)(x), infinity) & T(less)((T(vec)){0}, linear);
    (void)c;
    return T(select)(wrong, infinity, linear) + T(log1p)(T(exp)(-T(abs)(x)));
}
/* the same for a probability of the target between e^-c and 1 - e^-c */
TERM(binary_log_loss_term,
     T(min)(c, T(max)(T(exp)(-c), T(binary_cross_entropy_term)(x, y, c))))
TERM(sigmoid_difference_times_c, (T(normal_sigmoid)(x) - y) * c)
TERM(exp_times_c, T(normal_exp)(x) * c)
TERM(x_minus_y_times_c, x - y * c)
TERM(y_log_y, T(select)(T(equal)(y, (T(vec)){0}), y, y * T(log)(y)))

/* Losses that are means over outputs: value and derivative of one output; c is the
 * loss's setting. */
#define EACH_SIMPLE_LOSS(X)                                                            \
    X(MEAN_ABSOLUTE_ERROR, absolute_error, T(abs)(x - y), T(sign)(x - y))               \
    X(HUBER, huber,                                                                     \
      T(select)(T(less)(c, T(abs)(x - y)), c * (T(abs)(x - y) - c * (REAL)0.5),         \
                (x - y) * (x - y) * (REAL)0.5),                                         \
      T(min)(c, T(max)(-c, x - y)))                                                     \
    X(QUANTILE, quantile, T(max)(c * (y - x), (c - 1) * (y - x)),                       \
      T(select)(T(less)(x, y), -c, T(select)(T(less)(y, x), 1 - c, x - y)))             \
    X(LOG_COSH, log_cosh, T(log_cosh)(x - y), T(tanh)(x - y))                        \
    X(HINGE, hinge, T(relu)(1 - x * y),                                                 \
      T(select)(T(less)(x * y, T(broadcast)(1)), -y,                                    \
                T(select)(T(equal)(x * y, x * y), T(broadcast)(0), x * y)))               \
    X(POISSON, poisson, x - y * T(log)(T(at_most)(x, LARGEST) + c), 1 - y / (x + c))    \
    X(POISSON_OF_LOG, poisson_of_log,                                                   \
      T(exp)(x) - T(select)(T(equal)(y, (T(vec)){0}), y, T(at_most)(x, 1000) * y),   \
      T(exp)(x) - y)
#define TERMS(KIND, name, value, derivative) \
    TERM(name##_loss, value) TERM(name##_derivative, derivative)
EACH_SIMPLE_LOSS(TERMS)
#undef TERMS

/* factor * sum (x - y)^2, also where the squares overflow or underflow: then those of
 * (x - y) / 2^e are summed.  `scratch` receives x - y. */
static double T(times_squares)(REAL *scratch, const REAL *x, const REAL *y, REAL factor,
                               ptrdiff_t n) {
    REAL sum = T(row_sum)(T(squared_difference), x, y, 0, n);
    if (bpcore_squares_fit(sum, sizeof(REAL))) return factor * sum;
    T(combine)(T(x_minus_y), scratch, x, y, 0, n);
    const int e = bpcore_exponent(T(largest)(scratch, n), sizeof(REAL));
    sum = (REAL)T(sum_of_squares)(scratch, (REAL)ldexp(1, -e), n);
    return ldexp(factor * sum, 2 * e);
}

/* E = mean e(x, y, c)              delta = e'(x, y, c) / n
 *
 * huber with all |d| <= c, and log_cosh near 0, are d^2 / 2 with d = x - y: computed so
 * where E is tiny and its terms may underflow. */
#define SIMPLE(KIND, name, value, derivative)                                          \
    static double T(name##_row)(REAL *delta, const REAL *x, const REAL *y, REAL c,      \
                                REAL scale, ptrdiff_t n) {                              \
        double E = T(row_sum)(T(name##_loss), x, y, c, n) / (REAL)n;                    \
        const int squares =                                                             \
            BPCORE_##KIND == BPCORE_HUBER || BPCORE_##KIND == BPCORE_LOG_COSH;          \
        if (squares && E < 0x1p-100) {                                                  \
            T(combine)(T(x_minus_y), delta, x, y, 0, n);                                \
            if (BPCORE_##KIND == BPCORE_LOG_COSH || T(largest)(delta, n) <= c)          \
                E = T(times_squares)(delta, x, y, (REAL)0.5 / (REAL)n, n);              \
        }                                                                               \
        T(combine)(T(name##_derivative), delta, x, y, c, n);                            \
        T(combine)(T(x_times_c), delta, delta, delta, scale / (REAL)n, n);              \
        return E;                                                                       \
    }
EACH_SIMPLE_LOSS(SIMPLE)
#undef SIMPLE

/* E = factor * sum (a - y)^2       delta = 2 * factor * (a - y) */
static double T(squared_error_row)(REAL *delta, const REAL *a, const REAL *y,
                                   REAL factor, REAL scale, ptrdiff_t n) {
    const double E = T(times_squares)(delta, a, y, factor, n);
    T(combine)(T(difference_times_c), delta, a, y, 2 * factor * scale, n);
    return E;
}

static REAL T(scalar_log)(REAL x) { return T(first_lane)(T(log)(T(broadcast)(x))); }

/* E = -sum y log softmax(z)        delta = softmax(z) * sum y - y */
static REAL T(cross_entropy_row)(REAL *delta, const REAL *z, const REAL *y, REAL scale,
                                 ptrdiff_t n) {
    T(combine)(T(x_below_c), delta, z, z, T(row_max)(z, n), n);
    const REAL sum = T(row_sum)(T(exp_of_x), delta, delta, 0, n);
    const REAL loss = T(row_sum)(T(cross_entropy_term), delta, y, T(scalar_log)(sum), n);
    const REAL total = T(row_sum)(T(x_alone), y, y, 0, n);
    T(map)(T(normal_exp), delta, delta, n);
    T(combine)(T(x_times_c), delta, delta, delta, total / sum, n);
    T(combine)(T(difference_times_c), delta, delta, y, scale, n);
    return loss;
}

/* The same for y = 1 at `label` and 0 elsewhere, bit for bit.
 *
 * The caller's labels are used in place and may have changed since they were checked: a
 * label out of range gives the loss NaN, and no access outside the arrays. */
static REAL T(cross_entropy_label_row)(REAL *delta, const REAL *z, int64_t label,
                                       REAL scale, ptrdiff_t n) {
    if (label < 0 || label >= n) return (REAL)NAN;
    REAL highest, sum;
    if (n <= T(LANES)) {
        const T(tail) tail = T(make_tail)(n);
        const T(vec) e = T(narrow_exp)(z, tail, &highest, &sum);
        const T(vec) a = e * T(broadcast)(1 / sum), scales = T(broadcast)(scale);
        const T(vec) d = T(select)(T(lane_mask)(label), (a - 1) * scales, a * scales);
        T(store_tail)(delta, d, tail);
    } else {
        highest = T(row_max)(z, n);
        T(combine)(T(exp_of_x_below_c), delta, z, z, highest, n);
        sum = T(row_sum)(T(x_alone), delta, delta, 0, n);
        const REAL at_label = (delta[label] * (1 / sum) - 1) * scale;
        T(combine)(T(x_times_c), delta, delta, delta, 1 / sum, n);
        T(combine)(T(x_times_c), delta, delta, delta, scale, n);
        delta[label] = at_label;
    }
    return T(scalar_log)(sum) - (z[label] == highest ? 0 : z[label] - highest);
}

/* The cross-entropy with targets (1 - smoothing) y + smoothing / n.  If `y` is NULL, it
 * is 1 at `label` and 0 elsewhere. */
static REAL T(smoothed_cross_entropy_row)(REAL *delta, const REAL *z, const REAL *y,
                                          int64_t label, REAL smoothing, REAL scale,
                                          ptrdiff_t n) {
    if (!y && (label < 0 || label >= n)) return (REAL)NAN;
    const REAL rest = 1 - smoothing, each = smoothing / (REAL)n;
    T(combine)(T(x_below_c), delta, z, z, T(row_max)(z, n), n);
    const REAL sum = T(row_sum)(T(exp_of_x), delta, delta, 0, n);
    const REAL log_sum = T(scalar_log)(sum);
    const REAL all = (REAL)n * log_sum - T(row_sum)(T(x_alone), delta, delta, 0, n);
    const REAL own = y ? T(row_sum)(T(cross_entropy_term), delta, y, log_sum, n)
                       : log_sum - delta[label];
    const REAL total = y ? rest * T(row_sum)(T(x_alone), y, y, 0, n) + smoothing : 1;
    T(combine)(T(exp_times_c), delta, delta, delta, total / sum, n);
    T(combine)(T(x_minus_c), delta, delta, delta, each, n);
    if (y)
        T(combine)(T(x_minus_y_times_c), delta, delta, y, rest, n);
    else
        delta[label] -= rest;
    T(combine)(T(x_times_c), delta, delta, delta, scale, n);
    return rest * own + each * all;
}

/* `cross_entropy_label_row` for up to LANES rows of width up to `most`, a constant;
 * label[i] and E[i] belong to row i. */
BPCORE_INLINE void T(cross_entropy_label_columns)(REAL *E, REAL *delta, const REAL *z,
                                                  const int64_t *label, REAL scale,
                                                  ptrdiff_t rows, ptrdiff_t width,
                                                  const ptrdiff_t most) {
    T(vec) col[T(NARROW)], highest;
    REAL labels[T(LANES)], z_at_label[T(LANES)];
    for (ptrdiff_t i = 0; i < T(LANES); i++) {
        const int inside = i < rows && label[i] >= 0 && label[i] < width;
        labels[i] = inside ? (REAL)label[i] : -1;
        z_at_label[i] = inside ? z[i * width + label[i]] : (REAL)NAN;
    }
    T(load_columns)(col, z, rows, width, most);
    const T(vec) sum = T(exp_of_columns)(col, &highest, width, most);
    const T(vec) scales = T(broadcast)(scale);
    for (int j = 0; j < width; j++) {
        const T(vec) a = col[j] * (1 / sum);
        const T(ivec) right = T(equal)(T(load)(labels), T(broadcast)((REAL)j));
        col[j] = T(select)(right, (a - 1) * scales, a * scales);
    }
    T(store_columns)(delta, col, rows, width, most);
    T(store)(E, T(log)(sum) - T(below)(T(load)(z_at_label), highest));
}

/* E = sum max(z, 0) - z y + log(1 + exp(-|z|))      delta = sigmoid(z) - y */
static REAL T(binary_cross_entropy_row)(REAL *delta, const REAL *z, const REAL *y,
                                        REAL scale, ptrdiff_t n) {
    T(combine)(T(sigmoid_difference_times_c), delta, z, y, scale, n);
    return T(row_sum)(T(binary_cross_entropy_term), z, y, 0, n);
}

/* The loss E of a probability of the target, which is kept between e^-most and
 * 1 - e^-most.  Scikit-learn's log_loss; delta is that of the probability as it is. */
static REAL T(log_loss_of)(REAL E, REAL most) {
    const T(vec) least = T(exp)(T(broadcast)(-most));
    const T(vec) above = T(max)(least, T(broadcast)(E));
    return T(first_lane)(T(min)(T(broadcast)(most), above));
}

/* One row of any loss.  The target is y, or for cross-entropy with y NULL `label`;
 * `setting` is the loss's setting (bpcore/losses). */
static double T(loss_row)(bpcore_loss kind, REAL setting, REAL *delta, const REAL *z,
                          const REAL *y, int64_t label, REAL scale, ptrdiff_t n) {
    switch (kind) {
    case BPCORE_SQUARED_ERROR:
        return T(squared_error_row)(delta, z, y, (REAL)0.5, scale, n);
    case BPCORE_MEAN_SQUARED_ERROR:
        return T(squared_error_row)(delta, z, y, 1 / (REAL)n, scale, n);
    case BPCORE_CROSS_ENTROPY:
        if (setting != 0)
            return T(smoothed_cross_entropy_row)(delta, z, y, label, setting, scale, n);
        return y ? T(cross_entropy_row)(delta, z, y, scale, n)
                 : T(cross_entropy_label_row)(delta, z, label, scale, n);
    case BPCORE_BINARY_CROSS_ENTROPY:
        return T(binary_cross_entropy_row)(delta, z, y, scale, n);
    case BPCORE_LOG_LOSS: /* y is 1 for one class, and 0 for the others */
        return T(log_loss_of)(y ? T(cross_entropy_row)(delta, z, y, scale, n)
                                : T(cross_entropy_label_row)(delta, z, label, scale, n),
                              setting);
    case BPCORE_BINARY_LOG_LOSS:
        T(combine)(T(sigmoid_difference_times_c), delta, z, y, scale, n);
        return T(row_sum)(T(binary_log_loss_term), z, y, setting, n);
    case BPCORE_KL_DIVERGENCE:
        return T(cross_entropy_row)(delta, z, y, scale, n) +
               T(row_sum)(T(y_log_y), y, y, 0, n);
#define SIMPLE(KIND, name, value, derivative) \
    case BPCORE_##KIND: return T(name##_row)(delta, z, y, setting, scale, n);
    EACH_SIMPLE_LOSS(SIMPLE)
#undef SIMPLE
    }
    return 0;
}
#undef EACH_SIMPLE_LOSS

/* E = sum w[j] e(z[j], y[j]) and delta[j] = scale w[j] de/dz[j], with a weight per
 * output, for the losses that are sums or means of a term e of each output. */
static double T(weighted_outputs_row)(bpcore_loss kind, REAL setting, REAL *delta,
                                      const REAL *z, const REAL *y, const double *w,
                                      double scale, ptrdiff_t n) {
    const int sums = kind == BPCORE_BINARY_CROSS_ENTROPY ||
                     kind == BPCORE_BINARY_LOG_LOSS || kind == BPCORE_SQUARED_ERROR;
    const double divisor = sums ? 1 : (double)n;
    double E = 0;
    for (ptrdiff_t j = 0; j < n; j++) {
        delta[j] = 0;
        if (w[j] == 0) continue; /* its loss may be infinite */
        E += w[j] / divisor * T(loss_row)(kind, setting, delta + j, z + j, y + j, 0,
                                        (REAL)(scale * w[j] / divisor), 1);
    }
    return E;
}

/* E[i] = E(z[i], label) and delta[i] = scale dE/dz[i] by the plain cross-entropy, rows
 * first .. end of a mini-batch, the label of row i at order[i] where there is an order.
 * Rows of up to NARROW elements are transposed, if there is more than one. */
static void T(cross_entropy_label_rows)(double *E, REAL *delta, const REAL *z,
                                        const int64_t *labels, const int64_t *order,
                                        REAL scale, ptrdiff_t first, ptrdiff_t end,
                                        ptrdiff_t width) {
    ptrdiff_t i = first;
    for (; width <= T(NARROW) && end - i > 1; i += T(LANES)) {
        const ptrdiff_t rows = bpcore_min(end - i, T(LANES));
        REAL losses[T(LANES)];
        int64_t label[T(LANES)];
        for (ptrdiff_t r = 0; r < rows; r++)
            label[r] = labels[order ? order[i + r] : i + r];
        const REAL *const z_at = z + i * width;
        REAL *const delta_at = delta + i * width;
        if (width <= T(LANES))
            T(cross_entropy_label_columns)(losses, delta_at, z_at, label, scale, rows,
                                           width, T(LANES));
        else
            T(cross_entropy_label_columns)(losses, delta_at, z_at, label, scale, rows,
                                           width, T(NARROW));
        for (ptrdiff_t r = 0; r < rows; r++) E[i + r] = losses[r];
    }
    for (; i < end; i++)
        E[i] = T(cross_entropy_label_row)(delta + i * width, z + i * width,
                                          labels[order ? order[i] : i], scale, width);
}

/* E[i] and delta[i] of the two losses of sigmoids for rows of one element, LANES at a
 * time, and of weight 1. */
static void T(binary_rows)(bpcore_loss kind, REAL setting, double *E, REAL *delta,
                           const REAL *z, const REAL *y, const int64_t *order,
                           REAL scale, ptrdiff_t first, ptrdiff_t end) {
    const T(vec) c = T(broadcast)(setting), scales = T(broadcast)(scale);
    for (ptrdiff_t i = first; i < end; i += T(LANES)) {
        const ptrdiff_t rows = bpcore_min(end - i, T(LANES));
        const T(tail) tail = T(make_tail)(rows);
        REAL targets[T(LANES)] = {0}, losses[T(LANES)];
        for (ptrdiff_t r = 0; r < rows; r++) targets[r] = y[order ? order[i + r] : i + r];
        const T(vec) x = T(load_tail)(z + i, tail), t = T(load)(targets);
        const T(vec) terms = kind == BPCORE_BINARY_LOG_LOSS
                                 ? T(binary_log_loss_term)(x, t, c)
                                 : T(binary_cross_entropy_term)(x, t, c);
        T(store)(losses, terms);
        T(store_tail)(delta + i, T(sigmoid_difference_times_c)(x, t, scales), tail);
        for (ptrdiff_t r = 0; r < rows; r++) E[i + r] = losses[r];
    }
}

/* E[i] = w[i] E(z[i], y[i]) and delta[i] = scale w[i] dE/dz[i], rows first .. end of a
 * mini-batch. */
static void T(loss_rows)(bpcore_loss kind, double setting, double *E, REAL *delta,
                         const REAL *z, const bpcore_targets *targets, double scale,
                         ptrdiff_t first, ptrdiff_t end, ptrdiff_t width) {
    const int64_t *order = targets->order, *labels = targets->labels;
    if (labels && !targets->weight && (setting == 0 || kind == BPCORE_LOG_LOSS)) {
        T(cross_entropy_label_rows)(E, delta, z, labels, order, (REAL)scale, first, end,
                                    width);
        for (ptrdiff_t i = first; kind == BPCORE_LOG_LOSS && i < end; i++)
            E[i] = T(log_loss_of)((REAL)E[i], (REAL)setting);
        return;
    }
    const int binary =
        kind == BPCORE_BINARY_CROSS_ENTROPY || kind == BPCORE_BINARY_LOG_LOSS;
    if (binary && width == 1 && !targets->weight) {
        T(binary_rows)(kind, (REAL)setting, E, delta, z, targets->y, order, (REAL)scale,
                       first, end);
        return;
    }
    for (ptrdiff_t i = first; i < end; i++) {
        const ptrdiff_t at = order ? order[i] : i;
        const REAL *y = targets->y ? (const REAL *)targets->y + at * width : NULL;
        const int each = targets->weight && targets->weights > 1;
        if (each && kind != BPCORE_CROSS_ENTROPY) {
            E[i] = T(weighted_outputs_row)(
                kind, (REAL)setting, delta + i * width, z + i * width, y,
                targets->weight + at * targets->weights, scale, width);
            continue;
        }
        const double w = targets->weight ? targets->weight[at * targets->weights] : 1;
        if (w == 0) { /* its loss may be infinite */
            memset(delta + i * width, 0, (size_t)width * sizeof(REAL));
            E[i] = 0;
        } else {
            E[i] = w * T(loss_row)(kind, each ? 0 : (REAL)setting, delta + i * width,
                                   z + i * width, y, labels ? labels[at] : 0,
                                   (REAL)(scale * w), width);
        }
    }
}
