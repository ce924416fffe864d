"""The kernels of bpcore: every piece of arithmetic the engine uses, callable alone.

Translated to C once and compiled once per instruction set (see ``_dispatch.py``).
Each kernel is a loop nest around the register tile and the vector vocabulary of
``csrc/``; each opens with its equation and the shapes of its arrays.

The functions a Python user calls stand below the kernels.  They take C-contiguous
arrays of one dtype, float32 or float64 (anything else raises TypeError or ValueError
from Cython), check shapes, and write into arrays of the caller's, which must not
overlap the inputs.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t
from libc.string cimport memset


cdef extern from "csrc/types.h" nogil:
    const Py_ssize_t KC "BPCORE_KC"
    const Py_ssize_t KC_IN_PLACE "BPCORE_KC_IN_PLACE"
    const Py_ssize_t KC_DESCEND "BPCORE_KC_DESCEND"
    const Py_ssize_t CHAIN "BPCORE_CHAIN"
    const Py_ssize_t PACK_FROM "BPCORE_PACK_FROM"
    const Py_ssize_t FETCH_FROM "BPCORE_FETCH_FROM"

    ctypedef enum elementary_t "bpcore_elementary":
        EXP "BPCORE_EXP"
        LOG "BPCORE_LOG"
        LOG1P "BPCORE_LOG1P"
        TANH_OF "BPCORE_TANH_OF"
        SIGMOID_OF "BPCORE_SIGMOID_OF"

    ctypedef enum finish_t "bpcore_finish":
        STORE "BPCORE_STORE"
        STORE_RELU "BPCORE_STORE_RELU"
        TIMES_RELU_DERIVATIVE "BPCORE_TIMES_RELU_DERIVATIVE"
        TIMES_SIGMOID_DERIVATIVE "BPCORE_TIMES_SIGMOID_DERIVATIVE"
        TIMES_TANH_DERIVATIVE "BPCORE_TIMES_TANH_DERIVATIVE"
        DESCEND "BPCORE_DESCEND"

    ctypedef struct product_t "bpcore_product":
        Py_ssize_t m, n, k
        const void *A
        Py_ssize_t a_row, a_col
        const void *B
        Py_ssize_t b_row
        bint b_transposed
        void *C
        Py_ssize_t c_row
        const void *start
        finish_t finish
        const void *a
        const optimizer_t *optimizer
        void *state


cdef extern from "csrc/dtypes.h" nogil:
    const Py_ssize_t TILE_ROWS "BPCORE_TILE_ROWS"
    const Py_ssize_t NR_f32, NR_f64
    const char *COMPILER "BPCORE_COMPILER"
    const char *FLAGS "BPCORE_FLAGS"

    void multiply_f32(const worker_t *worker, const product_t *p)
    void multiply_f64(const worker_t *worker, const product_t *p)
    Py_ssize_t taken_f32(const product_t *p)
    Py_ssize_t taken_f64(const product_t *p)
    Py_ssize_t room_f32(Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out)
    Py_ssize_t room_f64(Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out)
    void propagate_one_row_f32(float *out, const float *delta, const float *W,
                               Py_ssize_t first, Py_ssize_t end, Py_ssize_t n_out)
    void propagate_one_row_f64(double *out, const double *delta, const double *W,
                               Py_ssize_t first, Py_ssize_t end, Py_ssize_t n_out)
    void descend_rank_one_f32(const worker_t *worker, const optimizer_t *optimizer,
                              float *W, float *state, const float *a,
                              const float *delta, Py_ssize_t n_in, Py_ssize_t n_out)
    void descend_rank_one_f64(const worker_t *worker, const optimizer_t *optimizer,
                              double *W, double *state, const double *a,
                              const double *delta, Py_ssize_t n_in, Py_ssize_t n_out)
    void activate_f32(activation_t f, float *z, Py_ssize_t n, Py_ssize_t width)
    void activate_f64(activation_t f, double *z, Py_ssize_t n, Py_ssize_t width)
    void times_derivative_f32(activation_t f, float *d, const float *a, Py_ssize_t n,
                              Py_ssize_t width)
    void times_derivative_f64(activation_t f, double *d, const double *a, Py_ssize_t n,
                              Py_ssize_t width)
    void descend_all_f32(const optimizer_t *optimizer, float *w, float *state,
                         const float *g, Py_ssize_t size)
    void descend_all_f64(const optimizer_t *optimizer, double *w, double *state,
                         const double *g, Py_ssize_t size)
    void loss_rows_f32(loss_t kind, double *E, float *delta, const float *z,
                       const targets_t *targets, double share, Py_ssize_t first,
                       Py_ssize_t end, Py_ssize_t width)
    void loss_rows_f64(loss_t kind, double *E, double *delta, const double *z,
                       const targets_t *targets, double share, Py_ssize_t first,
                       Py_ssize_t end, Py_ssize_t width)
    bint all_between_f32(const float *x, Py_ssize_t size, float low, float high)
    bint all_between_f64(const double *x, Py_ssize_t size, double low, double high)
    void elementary_f32(elementary_t f, float *out, const float *x, Py_ssize_t size)
    void elementary_f64(elementary_t f, double *out, const double *x, Py_ssize_t size)
    Py_ssize_t fma_loop_f32(float *out, Py_ssize_t iterations)
    Py_ssize_t fma_loop_f64(double *out, Py_ssize_t iterations)


ctypedef fused real:
    float
    double


# --- matrix products (a Python function below bears each name without _nogil) ---------
#
# Every kernel does one worker's share of its work (csrc/worker.h).  It may read what
# the kernel before it wrote once all workers have met.


cdef inline void multiply(
    const worker_t *worker, const product_t *p, real *tag,
) noexcept nogil:
    """C = finish(start + A @ B)     A (m, k)  B (k, n)  C (m, n), all of type `real`

    `tag` is never read; it tells which `real`, as the product's pointers do not.
    """
    if real is float:
        multiply_f32(worker, p)
    else:
        multiply_f64(worker, p)


cdef inline void shape(
    product_t *p, Py_ssize_t m, Py_ssize_t n, Py_ssize_t k,
) noexcept nogil:
    """A product of (m, k) by (k, n) with nothing else said yet."""
    memset(p, 0, sizeof(product_t))
    p.m, p.n, p.k = m, n, k
    p.c_row = n


cdef inline void affine(
    product_t *p, const real *a, const real *W,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """p = a @ W     a (n, n_in)  W (n_in, n_out)"""
    shape(p, n, n_out, n_in)
    p.A, p.a_row, p.a_col = a, n_in, 1
    p.B, p.b_row = W, n_out


cdef void forward_nogil(
    const worker_t *worker, real *out, const real *a, const real *W, const real *b,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil:
    """out = f(a @ W + b)    a (n, n_in)  W (n_in, n_out)  b (n_out,)  out (n, n_out)"""
    cdef product_t p
    affine(&p, a, W, n, n_in, n_out)
    p.C, p.start = out, b
    p.finish = STORE_RELU if f == RELU else STORE
    multiply(worker, &p, out)
    if f != RELU and f != IDENTITY:
        meet(worker)
        activate_nogil(worker, out, n, n_out, f)


cdef inline void back(
    product_t *p, const real *delta, const real *W,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """p = delta @ W.T     delta (n, n_out)  W (n_in, n_out)"""
    shape(p, n, n_in, n_out)
    p.A, p.a_row, p.a_col = delta, n_out, 1
    p.B, p.b_row, p.b_transposed = W, n_out, True


cdef void propagate_nogil(
    const worker_t *worker, real *out, const real *delta, const real *W, const real *a,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil:
    """out = (delta @ W.T) * f'(z)    delta (n, n_out)  W (n_in, n_out)  out (n, n_in)

    f'(z) is written in terms of a = f(z), (n, n_in); identity reads none of it.
    """
    cdef product_t p
    if n == 1 and f != SOFTMAX:
        propagate_one_row(worker, out, delta, W, a, n_in, n_out, f)
        return
    back(&p, delta, W, n, n_in, n_out)
    p.C, p.a = out, a
    p.finish = STORE
    if f == RELU:
        p.finish = TIMES_RELU_DERIVATIVE
    elif f == SIGMOID:
        p.finish = TIMES_SIGMOID_DERIVATIVE
    elif f == TANH:
        p.finish = TIMES_TANH_DERIVATIVE
    multiply(worker, &p, out)
    if f == SOFTMAX:
        meet(worker)
        times_derivative_nogil(worker, out, a, n, n_in, f)


cdef void propagate_one_row(
    const worker_t *worker, real *out, const real *delta, const real *W, const real *a,
    Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil:
    """out = (delta @ W.T) * f'(z)    delta (n_out,)  W (n_in, n_out)  out, a (n_in,)"""
    cdef Py_ssize_t first, end
    share(worker, n_in, 64, &first, &end)
    if real is float:
        propagate_one_row_f32(out, delta, W, first, end, n_out)
        if f != IDENTITY:  # which has no a
            times_derivative_f32(f, out + first, a + first, 1, end - first)
    else:
        propagate_one_row_f64(out, delta, W, first, end, n_out)
        if f != IDENTITY:
            times_derivative_f64(f, out + first, a + first, 1, end - first)


cdef inline void weight_gradient(
    product_t *p, const real *a, const real *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """p = a.T @ delta     a (n, n_in)  delta (n, n_out)"""
    shape(p, n_in, n_out, n)
    p.A, p.a_row, p.a_col = a, 1, n_in
    p.B, p.b_row = delta, n_out


cdef inline void bias_gradient(
    product_t *p, const real *one, const real *delta, Py_ssize_t n, Py_ssize_t n_out,
) noexcept nogil:
    """p = delta.sum(0), written as a row of ones times delta     delta (n, n_out)"""
    shape(p, 1, n_out, n)
    p.A = one
    p.B, p.b_row = delta, n_out


cdef void update_nogil(
    const worker_t *worker, real *W, real *b, real *state_W, real *state_b,
    const real *a, const real *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, const optimizer_t *optimizer,
) noexcept nogil:
    """W, b = one optimizer step by dW = a.T @ delta, db = delta.sum(0), in place

    dW and db are never stored: each tile is applied while it is in registers.
    a (n, n_in)  delta (n, n_out)  W (n_in, n_out)  b (n_out,)
    """
    cdef product_t p
    cdef real one = 1
    if state_W == NULL:  # none is kept, none is touched: any address will do
        state_W, state_b = W, b
    if n == 1:
        rank_one(worker, optimizer, W, state_W, a, delta, n_in, n_out)
        rank_one(worker, optimizer, b, state_b, &one, delta, 1, n_out)
        return
    weight_gradient(&p, a, delta, n, n_in, n_out)
    p.finish, p.optimizer = DESCEND, optimizer
    p.C, p.state = W, state_W
    multiply(worker, &p, W)
    bias_gradient(&p, &one, delta, n, n_out)
    p.finish, p.optimizer = DESCEND, optimizer
    p.C, p.state = b, state_b
    multiply(worker, &p, b)


cdef inline void rank_one(
    const worker_t *worker, const optimizer_t *optimizer, real *W, real *state,
    const real *a, const real *delta, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """W = one optimizer step by dW[i, j] = a[i] delta[j]   a (n_in,)  delta (n_out,)"""
    if real is float:
        descend_rank_one_f32(worker, optimizer, W, state, a, delta, n_in, n_out)
    else:
        descend_rank_one_f64(worker, optimizer, W, state, a, delta, n_in, n_out)


cdef void gradient_nogil(
    const worker_t *worker, real *dW, real *db, const real *a, const real *delta,
    Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """dW = a.T @ delta,  db = delta.sum(0)     shapes as in `update`"""
    cdef product_t p
    cdef real one = 1
    weight_gradient(&p, a, delta, n, n_in, n_out)
    p.C = dW
    multiply(worker, &p, dW)
    bias_gradient(&p, &one, delta, n, n_out)
    p.C = db
    multiply(worker, &p, db)


cdef Py_ssize_t room_nogil(
    real *tag, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """Bytes of room for any product of a layer on up to n rows, `tag` as above."""
    if real is float:
        return room_f32(n, n_in, n_out)
    else:
        return room_f64(n, n_in, n_out)


# --- element by element and row by row: one call per dtype into csrc/ -----------------


cdef void descend_nogil(
    const worker_t *worker, real *w, real *state, const real *g, Py_ssize_t size,
    const optimizer_t *optimizer,
) noexcept nogil:
    """w = one optimizer step from w by the stored gradient g     all (size,)"""
    cdef Py_ssize_t first, end
    share(worker, size, 64, &first, &end)
    if state == NULL:  # as in `update`
        state = w
    if real is float:
        descend_all_f32(optimizer, w + first, state + first, g + first, end - first)
    else:
        descend_all_f64(optimizer, w + first, state + first, g + first, end - first)


cdef void activate_nogil(
    const worker_t *worker, real *z, Py_ssize_t n, Py_ssize_t n_out, activation_t f,
) noexcept nogil:
    """z = f(z)     z (n, n_out)"""
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    if real is float:
        activate_f32(f, z + first * n_out, end - first, n_out)
    else:
        activate_f64(f, z + first * n_out, end - first, n_out)


cdef void times_derivative_nogil(
    const worker_t *worker, real *delta, const real *a, Py_ssize_t n, Py_ssize_t n_out,
    activation_t f,
) noexcept nogil:
    """delta = delta * f'(z), given a = f(z)     delta, a (n, n_out)"""
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    delta, a = delta + first * n_out, a + first * n_out
    if real is float:
        times_derivative_f32(f, delta, a, end - first, n_out)
    else:
        times_derivative_f64(f, delta, a, end - first, n_out)


cdef void loss_nogil(
    const worker_t *worker, double *E, real *delta, const real *z,
    const targets_t *targets, double share_of_one,
    Py_ssize_t n, Py_ssize_t n_out, loss_t kind,
) noexcept nogil:
    """E[i] = w[i] E(z[i], y[i]),  delta[i] = share w[i] dE(z[i], y[i])/dz[i]

    z, delta (n, n_out)  E (n,)  share = 1 / sum(w).  The squared errors take
    activations for z, the cross-entropies the values before their softmax or sigmoid.
    """
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    if real is float:
        loss_rows_f32(kind, E, delta, z, targets, share_of_one, first, end, n_out)
    else:
        loss_rows_f64(kind, E, delta, z, targets, share_of_one, first, end, n_out)


cdef bint all_between_nogil(
    const real *x, Py_ssize_t size, double low, double high,
) noexcept nogil:
    """Whether low <= x[i] <= high for every i     x (size,)"""
    if real is float:
        return all_between_f32(x, size, <float>low, <float>high)
    else:
        return all_between_f64(x, size, low, high)


# --- the tables the engine works from -------------------------------------------------


cdef void fill(kernel_table *table, real tag) noexcept:
    """The kernels of one dtype; `tag` only tells which."""
    table.itemsize = sizeof(real)
    table.room = <room_t>room_nogil[real]
    table.forward = <forward_t>forward_nogil[real]
    table.propagate = <propagate_t>propagate_nogil[real]
    table.update = <update_t>update_nogil[real]
    table.gradient = <gradient_t>gradient_nogil[real]
    table.descend = <descend_t>descend_nogil[real]
    table.times_derivative = <times_derivative_t>times_derivative_nogil[real]
    table.loss = <loss_function_t>loss_nogil[real]
    table.all_between = <all_between_t>all_between_nogil[real]


cdef kernel_table table_f32, table_f64
fill[float](&table_f32, 0)
fill[double](&table_f64, 0)

TABLES = {
    "float32": PyCapsule_New(&table_f32, "bpcore.kernel_table", NULL),
    "float64": PyCapsule_New(&table_f64, "bpcore.kernel_table", NULL),
}
ACTIVATIONS = {
    "identity": IDENTITY,
    "sigmoid": SIGMOID,
    "tanh": TANH,
    "relu": RELU,
    "softmax": SOFTMAX,
}
LOSSES = {
    "squared_error": SQUARED_ERROR,
    "mean_squared_error": MEAN_SQUARED_ERROR,
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
}
ELEMENTARY = {
    "exp": EXP,
    "log": LOG,
    "log1p": LOG1P,
    "tanh": TANH_OF,
    "sigmoid": SIGMOID_OF,
}
RULES = {"sgd": SGD, "momentum": MOMENTUM, "nesterov": NESTEROV}
BUILD = {
    "compiler": COMPILER.decode(),
    "flags": FLAGS.decode(),
    "tile_rows": TILE_ROWS,
    "tile_columns": {"float32": NR_f32, "float64": NR_f64},
    "chain": CHAIN,
    "k_block": {"copied": KC, "in_place": KC_IN_PLACE, "descend": KC_DESCEND},
    "pack_from": PACK_FROM,
    "fetch_from": FETCH_FROM,
}


# --- the kernels as Python functions --------------------------------------------------


cdef int require_matrix(
    str name, Py_ssize_t *shape, object rows, object columns,
) except -1:
    """Raise unless `shape` is (rows, columns); a name in either is any size above 0."""
    if shape[0] > 0 and shape[1] > 0:
        if (isinstance(rows, str) or shape[0] == rows) and (
            isinstance(columns, str) or shape[1] == columns
        ):
            return 0
    raise ValueError(
        f"{name} must have shape ({rows}, {columns}), none of them 0; "
        f"got ({shape[0]}, {shape[1]})"
    )


cdef int require_vector(str name, Py_ssize_t got, Py_ssize_t size) except -1:
    if got == size:
        return 0
    raise ValueError(f"{name} must have shape ({size},); got ({got},)")


cdef int require_some(str name, Py_ssize_t size) except -1:
    if size > 0:
        return 0
    raise ValueError(f"{name} must not be empty; got shape (0,)")


cdef int code(dict names, str what, str name) except -1:
    """The integer that the kernels know this name by."""
    if name in names:
        return names[name]
    raise ValueError(f"{what} must be one of {', '.join(names)}; got {name!r}")


cdef class _Alone:
    """A worker with no others, and the room it needs for a layer's products."""
    cdef worker_t worker
    cdef object room

    def __cinit__(self, Py_ssize_t bytes=0):
        self.room = PyByteArray_FromStringAndSize(NULL, bytes + 64)
        cdef size_t start = <size_t>PyByteArray_AS_STRING(self.room)
        self.worker.count = 1
        self.worker.room = <char *>((start + 63) // 64 * 64)


cdef optimizer_t new_optimizer(
    double lr, double momentum, bint nesterov, double weight_decay,
) noexcept:
    cdef optimizer_t optimizer
    optimizer.rule = SGD if momentum == 0 else NESTEROV if nesterov else MOMENTUM
    optimizer.lr, optimizer.momentum = lr, momentum
    optimizer.weight_decay = weight_decay
    optimizer.state_apart = 0
    return optimizer


def forward(
    const real[:, ::1] a, const real[:, ::1] W, const real[::1] b, real[:, ::1] out,
    str activation="identity",
):
    """out = f(a @ W + b), one layer forward.

    Parameters
    ----------
    a : array (n, n_in)
    W : array (n_in, n_out)
    b : array (n_out,)
    out : array (n, n_out), overwritten
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 2))
    >>> a, W, b = np.array([[1.0, 2.0]]), np.eye(2), np.array([0.5, -3.0])
    >>> bp.kernels.forward(a, W, b, out, "relu")
    >>> out
    array([[1.5, 0. ]])
    """
    cdef activation_t f = <activation_t>code(ACTIVATIONS, "activation", activation)
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = W.shape[1]
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("W", W.shape, n_in, "n_out")
    require_vector("b", b.shape[0], n_out)
    require_matrix("out", out.shape, n, n_out)
    cdef _Alone one = _Alone(room_nogil(&out[0, 0], n, n_in, n_out))
    with nogil:
        forward_nogil(&one.worker, &out[0, 0], &a[0, 0], &W[0, 0], &b[0],
                      n, n_in, n_out, f)


def propagate(
    const real[:, ::1] delta, const real[:, ::1] W, const real[:, ::1] a,
    real[:, ::1] out, str activation="identity",
):
    """out = (delta @ W.T) * f'(z), the delta of the layer before, given its a = f(z).

    Parameters
    ----------
    delta : array (n, n_out)
    W : array (n_in, n_out)
    a : array (n, n_in)
    out : array (n, n_in), overwritten
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 2))
    >>> bp.kernels.propagate(np.array([[2.0]]), np.array([[1.0], [3.0]]),
    ...                      np.array([[0.5, 0.0]]), out, "relu")
    >>> out
    array([[2., 0.]])
    """
    cdef activation_t f = <activation_t>code(ACTIVATIONS, "activation", activation)
    cdef Py_ssize_t n = delta.shape[0], n_in = W.shape[0], n_out = delta.shape[1]
    require_matrix("delta", delta.shape, "n", "n_out")
    require_matrix("W", W.shape, "n_in", n_out)
    require_matrix("a", a.shape, n, n_in)
    require_matrix("out", out.shape, n, n_in)
    cdef _Alone one = _Alone(room_nogil(&out[0, 0], n, n_in, n_out))
    with nogil:
        propagate_nogil(&one.worker, &out[0, 0], &delta[0, 0], &W[0, 0], &a[0, 0],
                        n, n_in, n_out, f)


def gradient(
    const real[:, ::1] a, const real[:, ::1] delta, real[:, ::1] dW, real[::1] db,
):
    """dW = a.T @ delta and db = delta.sum(0), stored.

    Parameters
    ----------
    a : array (n, n_in)
    delta : array (n, n_out)
    dW : array (n_in, n_out), overwritten
    db : array (n_out,), overwritten

    Raises
    ------
    ValueError
        If a shape does not fit or an array is empty.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> dW, db = np.empty((1, 1)), np.empty(1)
    >>> bp.kernels.gradient(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), dW, db)
    >>> dW, db
    (array([[11.]]), array([7.]))
    """
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = delta.shape[1]
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("delta", delta.shape, n, "n_out")
    require_matrix("dW", dW.shape, n_in, n_out)
    require_vector("db", db.shape[0], n_out)
    cdef _Alone one = _Alone(room_nogil(&dW[0, 0], n, n_in, n_out))
    with nogil:
        gradient_nogil(&one.worker, &dW[0, 0], &db[0], &a[0, 0], &delta[0, 0],
                       n, n_in, n_out)


def update(
    real[:, ::1] W, real[::1] b, const real[:, ::1] a, const real[:, ::1] delta,
    real[:, ::1] velocity_W=None, real[::1] velocity_b=None, double lr=0.1,
    double momentum=0.0, bint nesterov=False, double weight_decay=0.0,
):
    """One step of gradient descent on W and b in place, no gradient stored.

    With dW = a.T @ delta (and db = delta.sum(0) likewise)::

        g = dW + weight_decay W
        v = momentum v + g
        W = W - lr v                       (momentum 0: W - lr g, v not used)
        W = W - lr (g + momentum v)        (nesterov)

    Parameters
    ----------
    W, velocity_W : array (n_in, n_out), updated
    b, velocity_b : array (n_out,), updated
    a : array (n, n_in)
    delta : array (n, n_out)
    lr, momentum, nesterov, weight_decay : the optimizer's settings; the velocities may
        be None when momentum is 0

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or a velocity is missing.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> W, b = np.array([[1.0]]), np.array([0.0])
    >>> bp.kernels.update(W, b, np.array([[2.0]]), np.array([[0.5]]), lr=0.1)
    >>> W, b
    (array([[0.9]]), array([-0.05]))
    """
    cdef optimizer_t optimizer = new_optimizer(lr, momentum, nesterov, weight_decay)
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = delta.shape[1]
    cdef real *v_W = NULL
    cdef real *v_b = NULL
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("delta", delta.shape, n, "n_out")
    require_matrix("W", W.shape, n_in, n_out)
    require_vector("b", b.shape[0], n_out)
    if optimizer.rule != SGD:
        if velocity_W is None or velocity_b is None:
            raise ValueError(
                "velocity_W and velocity_b must be given where momentum is not 0; "
                "got None"
            )
        require_matrix("velocity_W", velocity_W.shape, n_in, n_out)
        require_vector("velocity_b", velocity_b.shape[0], n_out)
        v_W, v_b = &velocity_W[0, 0], &velocity_b[0]
    cdef _Alone one = _Alone(room_nogil(&W[0, 0], n, n_in, n_out))
    with nogil:
        update_nogil(&one.worker, &W[0, 0], &b[0], v_W, v_b, &a[0, 0], &delta[0, 0],
                     n, n_in, n_out, &optimizer)


def descend(
    real[::1] w, const real[::1] g, real[::1] velocity=None, double lr=0.1,
    double momentum=0.0, bint nesterov=False, double weight_decay=0.0,
):
    """The step of `update` from a stored gradient, over flat arrays.

    Parameters
    ----------
    w, velocity : array (size,), updated; velocity may be None when momentum is 0
    g : array (size,)
    lr, momentum, nesterov, weight_decay : the optimizer's settings

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the velocity is missing.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> w = np.array([1.0, 2.0])
    >>> bp.kernels.descend(w, np.array([1.0, -1.0]), lr=0.5)
    >>> w
    array([0.5, 2.5])
    """
    cdef optimizer_t optimizer = new_optimizer(lr, momentum, nesterov, weight_decay)
    cdef real *v = NULL
    require_some("w", w.shape[0])
    require_vector("g", g.shape[0], w.shape[0])
    if optimizer.rule != SGD:
        if velocity is None:
            raise ValueError("velocity must be given where momentum is not 0; got None")
        require_vector("velocity", velocity.shape[0], w.shape[0])
        v = &velocity[0]
    cdef _Alone one = _Alone()
    with nogil:
        descend_nogil(&one.worker, &w[0], v, &g[0], w.shape[0], &optimizer)


def activate(real[:, ::1] z, str activation):
    """z = f(z) in place.

    Parameters
    ----------
    z : array (n, n_out), overwritten
    activation : name of f, a key of ``ACTIVATIONS``; softmax acts on each row

    Raises
    ------
    ValueError
        If z is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> z = np.array([[0.0, 0.0]])
    >>> bp.kernels.activate(z, "softmax")
    >>> z
    array([[0.5, 0.5]])
    """
    cdef activation_t f = <activation_t>code(ACTIVATIONS, "activation", activation)
    require_matrix("z", z.shape, "n", "n_out")
    cdef _Alone one = _Alone()
    with nogil:
        activate_nogil(&one.worker, &z[0, 0], z.shape[0], z.shape[1], f)


def times_derivative(real[:, ::1] delta, const real[:, ::1] a, str activation):
    """delta = delta * f'(z) in place, given a = f(z).

    For softmax the product with the Jacobian: delta = a * (delta - sum(delta * a)).

    Parameters
    ----------
    delta : array (n, n_out), overwritten
    a : array (n, n_out)
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta = np.array([[1.0, 1.0]])
    >>> bp.kernels.times_derivative(delta, np.array([[0.5, 1.0]]), "sigmoid")
    >>> delta
    array([[0.25, 0.  ]])
    """
    cdef activation_t f = <activation_t>code(ACTIVATIONS, "activation", activation)
    require_matrix("delta", delta.shape, "n", "n_out")
    require_matrix("a", a.shape, delta.shape[0], delta.shape[1])
    cdef _Alone one = _Alone()
    with nogil:
        times_derivative_nogil(&one.worker, &delta[0, 0], &a[0, 0], a.shape[0],
                               a.shape[1], f)


def loss(
    const real[:, ::1] z, real[:, ::1] delta, str name, const real[:, ::1] y=None,
    const int64_t[::1] labels=None, const double[::1] weight=None,
):
    """Weighted mean loss of a mini-batch, and its derivative by z in delta.

    With E one row's loss and w its weight: sum(w E) / sum(w), and
    delta[i] = w[i] dE/dz[i] / sum(w).  The squared errors take activations for z; the
    cross-entropies take the values before their softmax or sigmoid.

    Parameters
    ----------
    z : array (n, n_out)
    delta : array (n, n_out), overwritten
    name : name of E, a key of ``LOSSES``
    y : array (n, n_out), the targets
    labels : int64 array (n,), each in 0 .. n_out - 1; for "cross_entropy" in place of y
    weight : float64 array (n,), or None for ones

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty, the name is unknown, a label is out
        of range, the weights do not have a sum above 0, or not exactly one of y and
        labels is given.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta = np.empty((1, 2))
    >>> z, y = np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]])
    >>> bp.kernels.loss(z, delta, "squared_error", y)
    2.0
    >>> delta
    array([[2., 0.]])
    """
    cdef loss_t kind = <loss_t>code(LOSSES, "name", name)
    cdef Py_ssize_t i, n = z.shape[0], n_out = z.shape[1]
    cdef double total = 0, weights = n
    cdef targets_t targets
    memset(&targets, 0, sizeof(targets_t))
    require_matrix("z", z.shape, "n", "n_out")
    require_matrix("delta", delta.shape, n, n_out)
    if (y is None) == (labels is None):
        raise ValueError("exactly one of y and labels must be given")
    if y is not None:
        require_matrix("y", y.shape, n, n_out)
        targets.y = &y[0, 0]
    else:
        if kind != CROSS_ENTROPY:
            raise ValueError(f"{name} takes y; got labels")
        require_vector("labels", labels.shape[0], n)
        for i in range(n):
            if not 0 <= labels[i] < n_out:
                raise ValueError(
                    f"labels must lie in 0 .. {n_out - 1}; got {labels[i]}"
                )
        targets.labels = &labels[0]
    if weight is not None:
        require_vector("weight", weight.shape[0], n)
        targets.weight = &weight[0]
        weights = 0
        for i in range(n):
            weights += weight[i]
        if not weights > 0:
            raise ValueError(f"weight must have a sum above 0; got {weights}")
    cdef _Alone one = _Alone(n * sizeof(double))
    cdef double *E = <double *>one.worker.room
    with nogil:
        loss_nogil(&one.worker, E, &delta[0, 0], &z[0, 0], &targets, 1 / weights,
                   n, n_out, kind)
        for i in range(n):
            total += E[i]
    return total / weights


def elementary(str name, const real[::1] x, real[::1] out):
    """out = exp, log, log1p, tanh or sigmoid of x: the library's own, within 2 ulp.

    Parameters
    ----------
    name : a key of ``ELEMENTARY``
    x : array (size,)
    out : array (size,), overwritten

    Raises
    ------
    ValueError
        If the sizes differ, are 0 or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty(2)
    >>> bp.kernels.elementary("exp", np.array([0.0, -np.inf]), out)
    >>> out
    array([1., 0.])
    """
    cdef elementary_t f = <elementary_t>code(ELEMENTARY, "name", name)
    require_some("x", x.shape[0])
    require_vector("out", out.shape[0], x.shape[0])
    with nogil:
        if real is float:
            elementary_f32(f, &out[0], &x[0], x.shape[0])
        else:
            elementary_f64(f, &out[0], &x[0], x.shape[0])


def all_between(const real[::1] x, double low, double high):
    """Whether low <= x[i] <= high for every i (NaN is not), as a bool.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> bp.kernels.all_between(np.array([0.0, 0.5]), 0.0, 1.0)
    True
    >>> bp.kernels.all_between(np.array([0.0, np.nan]), 0.0, 1.0)
    False
    """
    cdef bint inside = True
    if x is None:
        raise TypeError("x must be an array; got None")
    if x.shape[0] > 0:
        with nogil:
            inside = all_between_nogil(&x[0], x.shape[0], low, high)
    return bool(inside)


def _room(const real[::1] tag, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out):
    """Bytes of room that suffice for a layer on up to n rows, and those taken for n.

    The second number is for the tests: it may never be above the first, nor above that
    of more rows.
    """
    cdef product_t products[6]
    cdef real *none = NULL
    cdef Py_ssize_t i, size, largest = 0
    affine(&products[0], none, none, n, n_in, n_out)
    back(&products[1], none, none, n, n_in, n_out)
    for i in range(2, 4):
        weight_gradient(&products[i], none, none, n, n_in, n_out)
        bias_gradient(&products[i + 2], none, none, n, n_out)
    products[2].finish = products[4].finish = DESCEND
    for i in range(6):
        if real is float:
            size = taken_f32(&products[i])
        else:
            size = taken_f64(&products[i])
        largest = max(largest, size)
    return room_nogil(none, n, n_in, n_out), largest


def fma_loop(real[::1] out, Py_ssize_t iterations):
    """Run fused multiply-adds in registers, to measure how many a second there are.

    Parameters
    ----------
    out : array (1,) or longer; out[0] is read and overwritten, so nothing is elided
    iterations : number of rounds

    Returns
    -------
    int
        The scalar multiply-adds executed.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> bp.kernels.fma_loop(np.zeros(1), 1000) >= 10_000
    True
    """
    require_some("out", out.shape[0])
    cdef Py_ssize_t count
    with nogil:
        if real is float:
            count = fma_loop_f32(&out[0], iterations)
        else:
            count = fma_loop_f64(&out[0], iterations)
    return count
