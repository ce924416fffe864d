"""What the kernels and the engine agree on: names as integers, and the table of
kernels of one dtype.  Declarations only, so importing it imports no module."""

from libc.math cimport ldexp, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memset


cdef extern from "csrc/types.h" nogil:
    const Py_ssize_t SQUARES "BPCORE_SQUARES"

    ctypedef enum activation_t "bpcore_activation":
        IDENTITY "BPCORE_IDENTITY"
        SIGMOID "BPCORE_SIGMOID"
        TANH "BPCORE_TANH"
        RELU "BPCORE_RELU"
        SOFTMAX "BPCORE_SOFTMAX"
        LEAKY_RELU "BPCORE_LEAKY_RELU"
        ELU "BPCORE_ELU"
        SELU "BPCORE_SELU"
        GELU "BPCORE_GELU"
        GELU_TANH "BPCORE_GELU_TANH"
        SILU "BPCORE_SILU"
        SOFTPLUS "BPCORE_SOFTPLUS"
        SOFTSIGN "BPCORE_SOFTSIGN"
        HARD_SIGMOID "BPCORE_HARD_SIGMOID"
        HARD_TANH "BPCORE_HARD_TANH"
        EXPONENTIAL "BPCORE_EXPONENTIAL"
        STEP "BPCORE_STEP"

    ctypedef enum loss_t "bpcore_loss":
        SQUARED_ERROR "BPCORE_SQUARED_ERROR"
        MEAN_SQUARED_ERROR "BPCORE_MEAN_SQUARED_ERROR"
        CROSS_ENTROPY "BPCORE_CROSS_ENTROPY"
        BINARY_CROSS_ENTROPY "BPCORE_BINARY_CROSS_ENTROPY"
        MEAN_ABSOLUTE_ERROR "BPCORE_MEAN_ABSOLUTE_ERROR"
        HUBER "BPCORE_HUBER"
        QUANTILE "BPCORE_QUANTILE"
        LOG_COSH "BPCORE_LOG_COSH"
        HINGE "BPCORE_HINGE"
        POISSON "BPCORE_POISSON"
        POISSON_OF_LOG "BPCORE_POISSON_OF_LOG"
        KL_DIVERGENCE "BPCORE_KL_DIVERGENCE"

    ctypedef enum normalisation_t "bpcore_normalisation":
        NOT_NORMALISED "BPCORE_NOT_NORMALISED"
        BATCH_NORM "BPCORE_BATCH_NORM"
        LAYER_NORM "BPCORE_LAYER_NORM"

    ctypedef enum rule_t "bpcore_rule":
        PLAIN "BPCORE_PLAIN"
        PLAIN_MOMENTUM "BPCORE_PLAIN_MOMENTUM"
        PLAIN_NESTEROV "BPCORE_PLAIN_NESTEROV"
        SGD "BPCORE_SGD"
        MOMENTUM "BPCORE_MOMENTUM"
        RMSPROP "BPCORE_RMSPROP"
        ADAGRAD "BPCORE_ADAGRAD"
        ADAM "BPCORE_ADAM"
        AMSGRAD "BPCORE_AMSGRAD"
        NADAM "BPCORE_NADAM"
        ADAMAX "BPCORE_ADAMAX"
        RADAM "BPCORE_RADAM"
        LION "BPCORE_LION"
        RPROP "BPCORE_RPROP"

    ctypedef struct optimizer_t "bpcore_optimizer":
        rule_t rule
        double lr_factor, weight_decay, l1, clip_value
        double momentum, dampening, beta1, beta2, eps, decay
        double shrink, grow, least, most
        bint decoupled, nesterov, centered
        Py_ssize_t state_apart
        int64_t step
        double power1, power2, momentums

    ctypedef struct targets_t "bpcore_targets":
        const void *y
        const int64_t *labels
        const double *weight
        Py_ssize_t weights
        const int64_t *order


cdef extern from "csrc/norms.h" nogil:
    bint squares_fit "bpcore_squares_fit"(double sum, size_t itemsize)
    int exponent "bpcore_exponent"(double largest, size_t itemsize)


cdef extern from "csrc/worker.h" nogil:
    ctypedef struct gate_t "bpcore_gate":
        pass

    ctypedef struct worker_t "bpcore_worker":
        int index
        int count
        char *room
        gate_t *gate

    void share "bpcore_share"(const worker_t *worker, Py_ssize_t size, Py_ssize_t unit,
                              Py_ssize_t *first, Py_ssize_t *end)
    void meet "bpcore_meet"(const worker_t *worker)


cdef inline optimizer_t told(dict group, dict rules) except *:
    """What an optimizer says of one group of parameters, nothing prepared yet."""
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
    it.centered = group["centered"]
    return it


cdef inline void carry_powers(optimizer_t *it, const optimizer_t *before) noexcept:
    """The powers that are prepared for `before` are those of the same decays."""
    if (it.rule == before.rule and it.beta1 == before.beta1
            and it.beta2 == before.beta2 and it.decay == before.decay):
        it.step = before.step
        it.power1, it.power2 = before.power1, before.power2
        it.momentums = before.momentums


# Data pointers are void because one engine serves every dtype; each table holds the
# kernels of one.  Shapes are those of the equations in _kernels.pyx.
ctypedef Py_ssize_t (*room_t)(
    void *tag, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*prepare_t)(
    optimizer_t *optimizer, double lr, int64_t step,
) noexcept nogil
ctypedef void (*forward_t)(
    const worker_t *worker, void *out, void *z, const void *a, const void *W,
    const void *b, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*activate_t)(
    const worker_t *worker, void *out, const void *z, Py_ssize_t n, Py_ssize_t n_out,
    activation_t f,
) noexcept nogil
ctypedef void (*propagate_t)(
    const worker_t *worker, void *out, const void *delta, const void *W, const void *a,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*update_t)(
    const worker_t *worker, void *W, void *b, void *state_W, void *state_b,
    const void *a, const void *delta, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
    const optimizer_t *of_W, const optimizer_t *of_b,
) noexcept nogil
ctypedef void (*gradient_t)(
    const worker_t *worker, void *dW, void *db, const void *a, const void *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*descend_t)(
    const worker_t *worker, void *w, void *state, const void *g, Py_ssize_t size,
    const optimizer_t *optimizer,
) noexcept nogil
ctypedef void (*limit_norms_t)(
    const worker_t *worker, void *W, double most, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*times_derivative_t)(
    const worker_t *worker, void *delta, const void *a,
    Py_ssize_t n, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*loss_function_t)(
    const worker_t *worker, double *E, void *delta, const void *z,
    const targets_t *targets, double share,
    Py_ssize_t n, Py_ssize_t n_out, loss_t kind, double setting,
) noexcept nogil
ctypedef void (*normalise_t)(
    const worker_t *worker, void *y, void *hat, void *inverse, void *moments,
    const void *gain, const void *shift, Py_ssize_t n, Py_ssize_t n_out,
    normalisation_t kind,
) noexcept nogil
ctypedef void (*normalise_back_t)(
    const worker_t *worker, void *delta, void *dgain, void *dshift, const void *hat,
    const void *inverse, const void *gain, Py_ssize_t n, Py_ssize_t n_out,
    normalisation_t kind,
) noexcept nogil
ctypedef void (*follow_t)(
    const worker_t *worker, void *running, const void *moments, Py_ssize_t n,
    Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*fold_t)(
    const worker_t *worker, void *W_folded, void *b_folded, const void *W,
    const void *shift, const void *gain, const void *running,
    Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*noise_t)(
    const worker_t *worker, void *out, const void *x, uint64_t key, double size,
    Py_ssize_t n, Py_ssize_t width,
) noexcept nogil
ctypedef void (*add_t)(
    const worker_t *worker, void *total, const void *g, Py_ssize_t size,
) noexcept nogil
ctypedef void (*scale_t)(
    const worker_t *worker, void *g, double factor, Py_ssize_t size,
) noexcept nogil
ctypedef void (*squares_t)(
    const worker_t *worker, double *sums, const void *g, double scale, Py_ssize_t size,
) noexcept nogil
ctypedef void (*largest_t)(
    const worker_t *worker, double *largest, const void *g, Py_ssize_t size,
) noexcept nogil
ctypedef bint (*all_between_t)(
    const void *x, Py_ssize_t size, double low, double high,
) noexcept nogil

ctypedef struct kernel_table:
    Py_ssize_t itemsize
    room_t room
    prepare_t prepare
    forward_t forward
    activate_t activate
    propagate_t propagate
    update_t update
    gradient_t gradient
    descend_t descend
    limit_norms_t limit_norms
    times_derivative_t times_derivative
    loss_function_t loss
    normalise_t normalise
    normalise_back_t normalise_back
    follow_t follow
    fold_t fold
    noise_t drop
    noise_t add_noise
    add_t add
    scale_t scale
    squares_t squares
    largest_t largest
    all_between_t all_between


cdef inline double norm(
    const kernel_table *k, const worker_t *worker, double *blocks, const void *g,
    Py_ssize_t size,
) noexcept nogil:
    """||g||, in double; all workers have to meet before g or `blocks` changes.

    `blocks` has a place for every SQUARES elements.
    """
    cdef Py_ssize_t i, count = (size + SQUARES - 1) // SQUARES
    cdef double total = 0, largest = 0
    cdef int e = 0
    k.squares(worker, blocks, g, 1, size)
    meet(worker)
    for i in range(count):
        total += blocks[i]
    if not squares_fit(total, k.itemsize):
        meet(worker)
        k.largest(worker, blocks, g, size)
        meet(worker)
        for i in range(count):
            largest = max(largest, blocks[i])
        e = exponent(largest, k.itemsize)
        meet(worker)
        k.squares(worker, blocks, g, ldexp(1, -e), size)
        meet(worker)
        total = 0
        for i in range(count):
            total += blocks[i]
    return ldexp(sqrt(total), e)
