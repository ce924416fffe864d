/* One optimizer step on the weights at w, from their gradient g.  The formulas are in
 * bpcore/optimizers; values that depend on the step's number only come from
 * `prepare`. */

typedef struct {
    REAL rate, momentum, add_l2; /* the plain rules use these only */
    REAL add_l1, decay_l2, decay_l1, clip_value;
    REAL beta1, rest1, beta2, rest2, eps, g_factor, lookahead, root;
    REAL shrink, grow, least, most;
    int clears, has_velocity, nesterov, centered, adapts;
    ptrdiff_t apart;
} T(rates);

static inline T(rates) T(plain_rates)(const bpcore_optimizer *o) {
    return (T(rates)){.rate = (REAL)o->rate, .momentum = (REAL)o->momentum,
                      .add_l2 = (REAL)o->add_l2};
}

static inline T(rates) T(make_rates)(const bpcore_optimizer *o) {
    T(rates) rates = T(plain_rates)(o);
    if (o->step_rule < BPCORE_SGD) return rates;
    rates.add_l1 = (REAL)o->add_l1, rates.clip_value = (REAL)o->clip_value;
    rates.decay_l2 = (REAL)o->decay_l2, rates.decay_l1 = (REAL)o->decay_l1;
    rates.beta1 = (REAL)o->beta1, rates.rest1 = (REAL)(1 - o->beta1);
    rates.beta2 = (REAL)o->beta2, rates.rest2 = (REAL)(1 - o->beta2);
    const double least = REAL_BITS == 32 ? FLT_MIN : DBL_MIN; /* of 0, 0 / eps is NaN */
    rates.eps = (REAL)(o->eps < least ? least : o->eps), rates.root = (REAL)o->root;
    rates.g_factor = (REAL)o->g_factor, rates.lookahead = (REAL)o->lookahead;
    rates.shrink = (REAL)o->shrink, rates.grow = (REAL)o->grow;
    rates.least = (REAL)o->least, rates.most = (REAL)o->most;
    rates.nesterov = o->nesterov, rates.centered = o->centered;
    rates.adapts = o->adapts, rates.clears = o->clears;
    rates.has_velocity = o->momentum != 0; /* in float32 it may round to 0 */
    rates.apart = o->state_apart;
    return rates;
}

#define B(x) T(broadcast)(rates.x)
#define STATE(i) T(load_part)(s_at + (i) * rates.apart, whole, tail)
#define SET_STATE(i, value) T(store_part)(s_at + (i) * rates.apart, value, whole, tail)
/* Decaying means and velocities become 0 instead of subnormal numbers, which are
 * slow. */
#define DECAYED(value) T(flush)(value)

/* Rates are passed by value: from a pointer they would be reloaded after every
 * store. */
BPCORE_INLINE void T(descend_plain)(bpcore_rule rule, const T(rates) rates, REAL *w_at,
                                    REAL *s_at, T(vec) g, int whole, T(tail) tail) {
    T(vec) w = T(load_part)(w_at, whole, tail);
    g = T(fma)(B(add_l2), w, g);
    if (rule != BPCORE_PLAIN) {
        const T(vec) v = DECAYED(T(fma)(B(momentum), STATE(0), g));
        SET_STATE(0, v);
        g = rule == BPCORE_PLAIN_NESTEROV ? T(fma)(B(momentum), v, g) : v;
    }
    w = T(fma)(-B(rate), g, w);
    T(store_part)(w_at, w, whole, tail);
}

/* mean + (1 - beta) (x - mean) */
static inline T(vec) T(toward)(T(vec) mean, T(vec) x, REAL rest) {
    return T(fma)(T(broadcast)(rest), x - mean, mean);
}

BPCORE_INLINE void T(descend_other)(bpcore_rule rule, const T(rates) rates, REAL *w_at,
                                    REAL *s_at, T(vec) g, int whole, T(tail) tail) {
    T(vec) w = T(load_part)(w_at, whole, tail), sign = T(sign)(w);
    g = T(min)(B(clip_value), T(max)(-B(clip_value), g));
    g = T(fma)(B(add_l2), w, T(fma)(B(add_l1), sign, g));
    w = T(fma)(-B(decay_l2), w, T(fma)(-B(decay_l1), sign, w));
    T(vec) change = g, m, s, v;
    switch (rule) {
    case BPCORE_SGD:
        if (!rates.has_velocity) break;
        v = DECAYED(T(fma)(B(momentum), STATE(0), B(g_factor) * g));
        SET_STATE(0, v);
        change = rates.nesterov ? T(fma)(B(momentum), v, g) : v;
        break;
    case BPCORE_MOMENTUM: /* the state holds the rate times the gradient */
        v = DECAYED(T(fma)(-B(g_factor), g, B(momentum) * STATE(0)));
        SET_STATE(0, v);
        change = rates.nesterov ? T(fma)(-B(momentum), v, B(g_factor) * g) : -v;
        break;
    case BPCORE_RMSPROP:
        s = DECAYED(T(fma)(B(rest2) * g, g, B(beta2) * STATE(0)));
        SET_STATE(0, s);
        if (rates.centered) {
            m = DECAYED(T(toward)(STATE(2), g, rates.rest2));
            SET_STATE(2, m);
            s = T(at_least)(T(fma)(-m, m, s), 0); /* a variance is never below 0 */
        }
        change = g / (T(sqrt)(s) + B(eps));
        if (!rates.has_velocity) break;
        change = DECAYED(T(fma)(B(momentum), STATE(1), change));
        SET_STATE(1, change);
        break;
    case BPCORE_ADAGRAD:
        s = T(fma)(g, g, STATE(0));
        SET_STATE(0, s);
        change = g / (T(sqrt)(s) + B(eps));
        break;
    case BPCORE_ADAMAX:
        m = DECAYED(T(toward)(STATE(0), g, rates.rest1));
        s = T(max)(B(beta2) * STATE(1), T(abs)(g) + B(eps));
        SET_STATE(0, m);
        SET_STATE(1, s);
        change = m / s;
        break;
    case BPCORE_LION:
        m = STATE(0);
        change = T(sign)(T(toward)(m, g, rates.rest1));
        SET_STATE(0, DECAYED(T(toward)(m, g, rates.rest2)));
        break;
    case BPCORE_RPROP: {
        const T(vec) turn = T(sign)(g) * T(sign)(STATE(0)), step = STATE(1);
        const T(ivec) turned = T(less)(turn, (T(vec)){0});
        const T(ivec) same = T(less)((T(vec)){0}, turn);
        s = T(select)(same, step * B(grow), T(select)(turned, step * B(shrink), step));
        s = T(min)(B(most), T(max)(B(least), s));
        g = T(select)(turned, (T(vec)){0}, g);
        SET_STATE(0, g);
        SET_STATE(1, s);
        change = T(sign)(g) * s;
        break;
    }
    default: /* Adam and its variants */
        m = DECAYED(T(toward)(STATE(0), g, rates.rest1));
        s = DECAYED(T(fma)(B(rest2) * g, g, B(beta2) * STATE(1)));
        SET_STATE(0, m);
        SET_STATE(1, s);
        if (rule == BPCORE_AMSGRAD) {
            s = T(max)(STATE(2), s);
            SET_STATE(2, s);
        }
        change = rule == BPCORE_NADAM ? T(fma)(B(lookahead), g, m) : m;
        if (rule != BPCORE_RADAM || rates.adapts)
            change = change / T(fma)(T(sqrt)(s), B(root), B(eps));
    }
    w = T(fma)(-B(rate), change, w);
    T(store_part)(w_at, w, whole, tail);
}

/* A rule over a flat array. */
#define DESCEND_ARRAY(kind)                                                           \
    BPCORE_INLINE void T(descend_##kind##_array)(                                     \
        bpcore_rule rule, const T(rates) rates, REAL *w, REAL *s, const REAL *g,      \
        ptrdiff_t size) {                                                             \
        const ptrdiff_t rest = size % T(LANES), whole = size - rest;                  \
        const T(tail) tail = T(make_tail)(rest ? rest : T(LANES));                    \
        for (ptrdiff_t i = 0; i < whole; i += T(LANES))                               \
            T(descend_##kind)(rule, rates, w + i, s + i, T(load)(g + i), 1, tail);    \
        if (rest)                                                                     \
            T(descend_##kind)(rule, rates, w + whole, s + whole,                      \
                              T(load_tail)(g + whole, tail), 0, tail);                \
    }
DESCEND_ARRAY(plain)
DESCEND_ARRAY(other)
#undef DESCEND_ARRAY

/* One step on `rows` rows of w from the gradients at g.  w_row and g_row are the
 * strides between rows, of w and its state, and of g.  In steps that clear, weights
 * become 0 instead of subnormal. */
BPCORE_NOINLINE static void T(descend_rows)(bpcore_rule rule, const T(rates) *rates,
                                            REAL *w, REAL *s, ptrdiff_t w_row,
                                            const REAL *g, ptrdiff_t g_row,
                                            ptrdiff_t rows, ptrdiff_t cols) {
    const T(rates) by_value = *rates;
    REAL *to_clear = w;
    ptrdiff_t left = rates->clears ? rows : 0;
    switch (rule) {
#define CASE(kind, rule)                                                              \
    case rule:                                                                        \
        for (; rows > 0; rows--, w += w_row, s += w_row, g += g_row)                  \
            T(descend_##kind##_array)(rule, by_value, w, s, g, cols);                 \
        break;
#define PLAIN(RULE, name) CASE(plain, BPCORE_##RULE)
#define OTHER(RULE, name) CASE(other, BPCORE_##RULE)
        BPCORE_EACH_PLAIN_RULE(PLAIN)
        BPCORE_EACH_OTHER_RULE(OTHER)
#undef PLAIN
#undef OTHER
#undef CASE
    }
    for (; left > 0; left--, to_clear += w_row)
        T(map)(T(flush), to_clear, to_clear, cols);
}

/* One optimizer step on w from the stored gradient g. */
static void T(descend_array)(const bpcore_optimizer *optimizer, REAL *w, REAL *state,
                             const REAL *g, ptrdiff_t size) {
    const T(rates) rates = T(make_rates)(optimizer);
    T(descend_rows)(optimizer->step_rule, &rates, w, state, size, g, size, 1, size);
}

#undef B
#undef STATE
#undef SET_STATE
#undef DECAYED
