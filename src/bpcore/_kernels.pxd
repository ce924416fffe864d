"""Declarations of csrc for the kernels and the engine: names as integers, and the table
of kernels of one dtype.  Nothing is imported at run time by importing this file."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset


cdef extern from "csrc/types.h" nogil:
    const Py_ssize_t SQUARES "BPCORE_SQUARES"

    # Of the names in csrc/names.h, those that Cython code uses.
    ctypedef enum activation_t "bpcore_activation":
        IDENTITY "BPCORE_IDENTITY"
        SOFTMAX "BPCORE_SOFTMAX"

    ctypedef enum loss_t "bpcore_loss":
        CROSS_ENTROPY "BPCORE_CROSS_ENTROPY"
        LOG_LOSS "BPCORE_LOG_LOSS"

    ctypedef enum normalisation_t "bpcore_normalisation":
        NOT_NORMALISED "BPCORE_NOT_NORMALISED"
        BATCH_NORM "BPCORE_BATCH_NORM"

    ctypedef enum rule_t "bpcore_rule":
        PLAIN "BPCORE_PLAIN"
        PLAIN_MOMENTUM "BPCORE_PLAIN_MOMENTUM"
        PLAIN_NESTEROV "BPCORE_PLAIN_NESTEROV"

    ctypedef enum elementary_t "bpcore_elementary":
        pass

    ctypedef struct optimizer_t "bpcore_optimizer":
        rule_t rule
        double lr_factor, weight_decay, l1, clip_value
        double momentum, dampening, beta1, beta2, eps, decay
        double shrink, grow, least, most
        bint decoupled, nesterov, centered, eps_corrected
        Py_ssize_t state_apart
        int64_t step
        double power1, power2, momentums

    ctypedef struct blocks_t "bpcore_blocks":
        Py_ssize_t l1, l2, kc, mc, nc

    ctypedef struct targets_t "bpcore_targets":
        const void *y
        const int64_t *labels
        const double *weight
        Py_ssize_t weights
        const int64_t *order


cdef extern from "csrc/states.h" nogil:
    int states_needed "bpcore_states_needed"(const optimizer_t *optimizer)


cdef extern from "csrc/arithmetic.h" nogil:
    ctypedef uint64_t arithmetic_t "bpcore_arithmetic"
    const arithmetic_t DEFAULT_ARITHMETIC "BPCORE_DEFAULT_ARITHMETIC"
    arithmetic_t arithmetic_in_force "bpcore_arithmetic_now"()
    void change_arithmetic "bpcore_set_arithmetic"(arithmetic_t state)
    arithmetic_t begin_arithmetic "bpcore_begin_arithmetic"()
    void end_arithmetic "bpcore_end_arithmetic"(arithmetic_t before)


cdef extern from "csrc/worker.h" nogil:
    ctypedef struct barrier_t "bpcore_barrier":
        pass

    ctypedef struct worker_t "bpcore_worker":
        int index
        int count
        char *room
        barrier_t *barrier

    void worker_range "bpcore_worker_range"(
        const worker_t *worker, Py_ssize_t size, Py_ssize_t unit, Py_ssize_t *first,
        Py_ssize_t *end)
    void barrier_wait "bpcore_barrier_wait"(const worker_t *worker)


# Arrays are void because one engine serves every dtype; each table has the kernels of
# one.  They are documented in csrc/layer.h.
cdef extern from "csrc/table.h" nogil:
    ctypedef struct kernel_table "bpcore_table":
        Py_ssize_t itemsize
        Py_ssize_t tile_columns
        blocks_t *blocks
        Py_ssize_t (*room)(
            Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
        ) noexcept nogil
        Py_ssize_t (*taken)(
            Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
        ) noexcept nogil
        void (*prepare)(optimizer_t *optimizer, double lr, int64_t step) noexcept nogil
        int (*squares_at)(rule_t rule) noexcept nogil
        void (*widen)(
            const optimizer_t *optimizer, double g, double *w, double *state,
        ) noexcept nogil

        Py_ssize_t (*packed_bytes)(Py_ssize_t n_in, Py_ssize_t n_out) noexcept nogil
        void (*pack)(
            const worker_t *worker, void *packed, const void *W, Py_ssize_t n_in,
            Py_ssize_t n_out,
        ) noexcept nogil
        void (*forward)(
            const worker_t *worker, void *out, void *z, const void *a, const void *W,
            const void *packed, const void *b, Py_ssize_t n, Py_ssize_t n_in,
            Py_ssize_t n_out, activation_t f,
        ) noexcept nogil
        void (*forward_one)(
            const worker_t *worker, void *out, void *z, const void *a, const void *W,
            const void *b, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
        ) noexcept nogil
        void (*propagate)(
            const worker_t *worker, void *out, const void *delta, const void *W,
            const void *a, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
            activation_t f,
        ) noexcept nogil
        void (*gradient)(
            const worker_t *worker, void *dW, void *db, const void *a,
            const void *delta, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
        ) noexcept nogil
        void (*update)(
            const worker_t *worker, void *W, void *b, void *state_W, void *state_b,
            const void *a, const void *delta, Py_ssize_t n, Py_ssize_t n_in,
            Py_ssize_t n_out, const optimizer_t *optimizer_W,
            const optimizer_t *optimizer_b,
        ) noexcept nogil
        void (*update_one)(
            const worker_t *worker, void *W, void *b, void *state_W, void *state_b,
            const void *a, const void *delta, Py_ssize_t n_in, Py_ssize_t n_out,
            const optimizer_t *optimizer_W, const optimizer_t *optimizer_b,
        ) noexcept nogil
        void (*descend)(
            const worker_t *worker, void *w, void *state, const void *g,
            Py_ssize_t size, const optimizer_t *optimizer,
        ) noexcept nogil
        void (*limit_norms)(
            const worker_t *worker, void *W, double most, Py_ssize_t n_in,
            Py_ssize_t n_out,
        ) noexcept nogil

        void (*activate)(
            const worker_t *worker, void *out, const void *z, Py_ssize_t n,
            Py_ssize_t n_out, activation_t f,
        ) noexcept nogil
        void (*times_derivative)(
            const worker_t *worker, void *delta, const void *a, Py_ssize_t n,
            Py_ssize_t n_out, activation_t f,
        ) noexcept nogil
        void (*loss)(
            const worker_t *worker, double *E, void *delta, const void *z,
            const targets_t *targets, double scale, Py_ssize_t n, Py_ssize_t n_out,
            loss_t kind, double setting,
        ) noexcept nogil

        void (*normalise)(
            const worker_t *worker, void *y, void *hat, void *inverse, void *moments,
            const void *gain, const void *shift, Py_ssize_t n, Py_ssize_t n_out,
            normalisation_t kind,
        ) noexcept nogil
        void (*normalise_back)(
            const worker_t *worker, void *delta, void *dgain, void *dshift,
            const void *hat, const void *inverse, const void *gain, Py_ssize_t n,
            Py_ssize_t n_out, normalisation_t kind,
        ) noexcept nogil
        void (*follow)(
            const worker_t *worker, void *running, const void *moments, Py_ssize_t n,
            Py_ssize_t n_out,
        ) noexcept nogil
        void (*fold)(
            const worker_t *worker, void *W_folded, void *b_folded, const void *W,
            const void *shift, const void *gain, const void *running,
            Py_ssize_t n_in, Py_ssize_t n_out,
        ) noexcept nogil

        void (*scale_rows)(
            const worker_t *worker, void *out, const void *x, const void *scale,
            Py_ssize_t n, Py_ssize_t width,
        ) noexcept nogil
        void (*scale_rows_back)(
            const worker_t *worker, void *delta, void *dscale, const void *x,
            const void *scale, Py_ssize_t n, Py_ssize_t width,
        ) noexcept nogil

        void (*drop)(
            const worker_t *worker, void *out, const void *x, uint64_t key, double p,
            Py_ssize_t n, Py_ssize_t width,
        ) noexcept nogil
        void (*add_noise)(
            const worker_t *worker, void *out, const void *x, uint64_t key, double size,
            Py_ssize_t n, Py_ssize_t width,
        ) noexcept nogil

        void (*add)(
            const worker_t *worker, void *total, const void *g, Py_ssize_t size,
        ) noexcept nogil
        void (*scale)(
            const worker_t *worker, void *g, double factor, Py_ssize_t size,
        ) noexcept nogil
        double (*sum_of_blocks)(
            const worker_t *worker, double *blocks, const void *g, double scale,
            Py_ssize_t size,
        ) noexcept nogil
        double (*largest_of_blocks)(
            const worker_t *worker, double *blocks, const void *g, Py_ssize_t size,
        ) noexcept nogil
        double (*norm)(
            const worker_t *worker, double *blocks, const void *g, Py_ssize_t size,
        ) noexcept nogil

        bint (*all_between)(
            const void *x, Py_ssize_t size, double least, double most,
        ) noexcept nogil
        void (*elementary)(
            elementary_t f, void *out, const void *x, Py_ssize_t size,
        ) noexcept nogil
        Py_ssize_t (*fma_loop)(void *out, Py_ssize_t iterations) noexcept nogil


cdef inline optimizer_t optimizer_of(dict group, object rules) except *:
    """The settings of a parameter group as C has them, not prepared for a step."""
    cdef optimizer_t it
    memset(&it, 0, sizeof(optimizer_t))
    it.rule = <rule_t><int>rules[group["rule"]]
    it.lr_factor, it.clip_value = group["lr_factor"], group["clip_value"]
    it.weight_decay, it.l1 = group["weight_decay"], group["l1"]
    it.momentum, it.dampening = group["momentum"], group["dampening"]
    it.beta1, it.beta2, it.eps = group["beta1"], group["beta2"], group["eps"]
    it.decay = group["decay"]
    it.shrink, it.grow = group["shrink"], group["grow"]
    it.least, it.most = group["least"], group["most"]
    it.decoupled, it.nesterov = group["decoupled"], group["nesterov"]
    it.centered, it.eps_corrected = group["centered"], group["eps_corrected"]
    return it


cdef inline void carry_powers(optimizer_t *it, const optimizer_t *before) noexcept:
    """The powers that are prepared for `before` are those of the same decays."""
    if (it.rule == before.rule and it.beta1 == before.beta1
            and it.beta2 == before.beta2 and it.decay == before.decay):
        it.step = before.step
        it.power1, it.power2 = before.power1, before.power2
        it.momentums = before.momentums
