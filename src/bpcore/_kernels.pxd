"""What the kernels and the engine agree on: names as integers, and the table of
kernels of one dtype.  Declarations only, so importing it imports no module."""

from libc.stdint cimport int64_t


cdef extern from "csrc/types.h" nogil:
    ctypedef enum activation_t "bpcore_activation":
        IDENTITY "BPCORE_IDENTITY"
        SIGMOID "BPCORE_SIGMOID"
        TANH "BPCORE_TANH"
        RELU "BPCORE_RELU"
        SOFTMAX "BPCORE_SOFTMAX"

    ctypedef enum loss_t "bpcore_loss":
        SQUARED_ERROR "BPCORE_SQUARED_ERROR"
        MEAN_SQUARED_ERROR "BPCORE_MEAN_SQUARED_ERROR"
        CROSS_ENTROPY "BPCORE_CROSS_ENTROPY"
        BINARY_CROSS_ENTROPY "BPCORE_BINARY_CROSS_ENTROPY"

    ctypedef enum rule_t "bpcore_rule":
        SGD "BPCORE_SGD"
        MOMENTUM "BPCORE_MOMENTUM"
        NESTEROV "BPCORE_NESTEROV"

    ctypedef struct optimizer_t "bpcore_optimizer":
        rule_t rule
        double lr
        double momentum
        double weight_decay
        Py_ssize_t state_apart

    ctypedef struct targets_t "bpcore_targets":
        const void *y
        const int64_t *labels
        const double *weight
        const int64_t *order


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


# Data pointers are void because one engine serves every dtype; each table holds the
# kernels of one.  Shapes are those of the equations in _kernels.pyx.
ctypedef Py_ssize_t (*room_t)(
    void *tag, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*forward_t)(
    const worker_t *worker, void *out, const void *a, const void *W, const void *b,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*propagate_t)(
    const worker_t *worker, void *out, const void *delta, const void *W, const void *a,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*update_t)(
    const worker_t *worker, void *W, void *b, void *state_W, void *state_b,
    const void *a, const void *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, const optimizer_t *optimizer,
) noexcept nogil
ctypedef void (*gradient_t)(
    const worker_t *worker, void *dW, void *db, const void *a, const void *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil
ctypedef void (*descend_t)(
    const worker_t *worker, void *w, void *state, const void *g, Py_ssize_t size,
    const optimizer_t *optimizer,
) noexcept nogil
ctypedef void (*times_derivative_t)(
    const worker_t *worker, void *delta, const void *a,
    Py_ssize_t n, Py_ssize_t n_out, activation_t f,
) noexcept nogil
ctypedef void (*loss_function_t)(
    const worker_t *worker, double *E, void *delta, const void *z,
    const targets_t *targets, double share,
    Py_ssize_t n, Py_ssize_t n_out, loss_t kind,
) noexcept nogil
ctypedef bint (*all_between_t)(
    const void *x, Py_ssize_t size, double low, double high,
) noexcept nogil

ctypedef struct kernel_table:
    Py_ssize_t itemsize
    room_t room
    forward_t forward
    propagate_t propagate
    update_t update
    gradient_t gradient
    descend_t descend
    times_derivative_t times_derivative
    loss_function_t loss
    all_between_t all_between
