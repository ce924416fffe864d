/* Bounds of weights, which prove that they are finite without reading them: rows of W are
 * skipped only then (sparse_row.h). */

static inline double bpcore_larger(double x, double y) { return x > y ? x : y; }

/* Widens the bounds of |w| and of its state by one step from a gradient of up to g, by the
 * formulas of descent.h. */
static void bpcore_widen(const bpcore_optimizer *o, double g, double *w,
                         double *state) {
    const double rounding = 1 + 1e-6; /* larger than all errors of a step in float32 */
    double s = *state, change;
    g += fabs(o->add_l2) * *w + fabs(o->add_l1);
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
        s = bpcore_larger(bpcore_larger(s, g * g),
                          fabs(o->momentum) * s + g / o->eps + g);
        change = s;
        break;
    case BPCORE_ADAGRAD:
        s += g * g;
        change = g / o->eps;
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
        change += change / o->eps;
    }
    *w += fabs(o->decay_l2) * *w + fabs(o->decay_l1) + fabs(o->rate) * change;
    *w *= rounding, *state = s * rounding;
}
