/* Coefficients of an optimizer step that depend on the settings and on the step's
 * number only: bias corrections, rates, decays.  In double for every dtype. */

/* Weights that decay reach subnormal numbers, which are slow, after thousands of steps.
 * They become 0 in steps whose number is a multiple of this one; in each step that would
 * cost too much. */
#define BPCORE_CLEARING_STEP 32

/* Nadam's momentum of step t: beta1 (1 - 0.96^(t decay) / 2) */
static double bpcore_nadam_momentum(const bpcore_optimizer *o, double t) {
    const double log_of_0_96 = -0.04082199452025510;
    const vec_f64 power = exp_f64(broadcast_f64(t * o->decay * log_of_0_96));
    return o->beta1 * (1 - first_lane_f64(power) / 2);
}

/* Computes the powers for step t, from those of an earlier step if there are any:
 * always by the same chain of products, so with the same bits.  Powers below 2^-200
 * have no effect in any formula, and are not multiplied further. */
static void bpcore_advance_powers(bpcore_optimizer *o, int64_t t) {
    const double negligible = 0x1p-200;
    if (o->step <= 0 || o->step > t) {
        o->step = 0;
        o->power1 = o->power2 = o->momentums = 1;
    }
    while (o->step < t && (o->power1 > negligible || o->power2 > negligible)) {
        o->step++;
        if (o->power1 > negligible) o->power1 *= o->beta1;
        if (o->power2 > negligible) o->power2 *= o->beta2;
        if (o->rule == BPCORE_NADAM && o->momentums > negligible)
            o->momentums *= bpcore_nadam_momentum(o, (double)o->step);
    }
    o->step = t;
}

/* Computes the coefficients of step t = 1, 2, ... at learning rate lr. */
static void bpcore_prepare(bpcore_optimizer *o, double lr, int64_t t) {
    lr *= o->lr_factor;
    o->rate = lr, o->g_factor = 1, o->root = 1, o->lookahead = 0, o->adapts = 1;
    o->add_l2 = o->decoupled ? 0 : o->weight_decay;
    o->add_l1 = o->decoupled ? 0 : o->l1;
    o->decay_l2 = o->decoupled ? lr * o->weight_decay : 0;
    o->decay_l1 = o->decoupled ? lr * o->l1 : 0;
    o->clears = t % BPCORE_CLEARING_STEP == 0 && (o->weight_decay != 0 || o->l1 != 0);
    o->step_rule = o->clears && o->rule < BPCORE_SGD ? BPCORE_SGD : o->rule;
    bpcore_advance_powers(o, t);
    const double correction1 = 1 - o->power1, correction2 = 1 - o->power2;
    switch (o->rule) {
    case BPCORE_SGD:
        if (t > 1) o->g_factor = 1 - o->dampening;
        break;
    case BPCORE_MOMENTUM:
        o->g_factor = lr, o->rate = 1;
        break;
    case BPCORE_ADAGRAD:
        o->rate = lr / (1 + (double)(t - 1) * o->decay);
        break;
    case BPCORE_ADAM:
    case BPCORE_AMSGRAD:
        o->rate = lr / correction1, o->root = 1 / sqrt(correction2);
        break;
    case BPCORE_ADAMAX:
        o->rate = lr / correction1;
        break;
    case BPCORE_NADAM: {
        const double now = bpcore_nadam_momentum(o, (double)t);
        const double next = bpcore_nadam_momentum(o, (double)(t + 1));
        /* At the least factor the part of m is below the rounding errors; 0 would make
         * the lookahead infinite. */
        const double least = 0x1p-60, factor = next / (1 - o->momentums * next);
        const double m_factor = factor > least ? factor : least;
        o->rate = lr * m_factor, o->root = 1 / sqrt(correction2);
        o->lookahead = (1 - now) / (1 - o->momentums) / m_factor;
        break;
    }
    case BPCORE_RADAM: {
        const double r_end = 2 / (1 - o->beta2) - 1;
        const double r = r_end - 2 * (double)t * o->power2 / correction2;
        o->rate = lr / correction1, o->adapts = r > 5;
        if (o->adapts)
            o->rate *= sqrt((r - 4) * (r - 2) * r_end * correction2 /
                            ((r_end - 4) * (r_end - 2) * r));
        break;
    }
    case BPCORE_RPROP: /* the state holds the step sizes, at first the rate */
        o->rate = o->lr_factor;
        break;
    default:
        break;
    }
    if (o->eps_corrected) o->rate /= o->root, o->root = 1;
}
