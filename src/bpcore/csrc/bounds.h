/* Bounds of weights, which prove that they are finite without reading them: rows of W are
 * skipped only then (sparse_row.h).  They are the same for every dtype: far below the
 * largest number of float32, as is everything that a step computes on the way. */

/* Most that any number of a step may be, and least eps of a divisor. */
#define BPCORE_MOST 1e37
#define BPCORE_LEAST_EPS 1e-30

/* x, or infinity if it is too large or NaN */
static inline double bpcore_limited(double x) { return x <= BPCORE_MOST ? x : INFINITY; }
static inline double bpcore_larger(double x, double y) { return x > y ? x : y; }

/* Which state array a rule takes square roots of, so that it must not be negative; -1:
 * none. */
static int bpcore_squares_at(bpcore_rule rule) {
    switch (rule) {
    case BPCORE_RMSPROP:
    case BPCORE_ADAGRAD: return 0;
    case BPCORE_ADAM:
    case BPCORE_AMSGRAD:
    case BPCORE_NADAM:
    case BPCORE_RADAM: return 1;
    default: return -1;
    }
}

/* Widens the bounds of |w| and of its state by one step from a gradient of up to g, by the
 * formulas of descent.h; to infinity if any number on the way may be too large. */
static void bpcore_widen(const bpcore_optimizer *o, double g, double *w,
                         double *state) {
    const double rounding = 1 + 1e-6; /* larger than all errors of a step in float32 */
    const double eps = o->eps >= BPCORE_LEAST_EPS ? o->eps : 0;
    double s = *state, change;
    g = bpcore_limited(g + fabs(o->add_l2) * *w + fabs(o->add_l1));
    switch (o->rule) {
    case BPCORE_PLAIN:
        change = g;
        break;
    case BPCORE_PLAIN_MOMENTUM:
    case BPCORE_PLAIN_NESTEROV:
    case BPCORE_SGD:
    case BPCORE_MOMENTUM:
        s = fabs(o->momentum) * s + bpcore_larger(fabs(o->g_factor), 1) * g;
        change = s + g;
        break;
    case BPCORE_RMSPROP:
        change = fabs(o->momentum) * s + g / eps;
        s = bpcore_larger(bpcore_larger(s, g * g), bpcore_larger(g, change));
        break;
    case BPCORE_ADAGRAD:
        s += g * g;
        change = g / eps;
        break;
    case BPCORE_LION:
        s = bpcore_larger(s, g);
        change = 1;
        break;
    case BPCORE_RPROP:
        s = bpcore_larger(bpcore_larger(s, g), o->most);
        change = o->most;
        break;
    default: /* Adam and its variants: a mean is between its old value and g or g^2 */
        s = bpcore_larger(s, bpcore_larger(g + o->eps, g * g));
        change = s + fabs(o->lookahead) * g;
        change += change / eps;
    }
    s = bpcore_limited(s) * rounding, change = bpcore_limited(change);
    *w += fabs(o->decay_l2) * *w + fabs(o->decay_l1) + fabs(o->rate) * change;
    *w = bpcore_limited(*w) * rounding, *state = s;
    if (!(s <= BPCORE_MOST && change <= BPCORE_MOST)) *w = INFINITY;
}
