"""The kernels of bpcore: every piece of arithmetic the engine uses, callable alone.

Translated to C once and compiled once per instruction set (see ``_dispatch.py``).
Each kernel is a loop nest around the register tile and the vector vocabulary of
``csrc/``; each opens with its equation and the shapes of its arrays.

The functions a Python user calls stand in ``_kernel_functions.pxi``.  They take
C-contiguous arrays of one dtype, float32 or float64 (anything else raises TypeError or
ValueError from Cython), check shapes, and write into arrays of the caller's, which must
not overlap the inputs.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t, uint64_t
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
        EXPM1 "BPCORE_EXPM1"
        NORMAL_CDF "BPCORE_NORMAL_CDF"
        LOG_COSH_OF "BPCORE_LOG_COSH_OF"

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
    void prepare "bpcore_prepare"(optimizer_t *optimizer, double lr, int64_t step)
    void activate_f32(activation_t f, float *out, const float *z, Py_ssize_t n,
                      Py_ssize_t width)
    void activate_f64(activation_t f, double *out, const double *z, Py_ssize_t n,
                      Py_ssize_t width)
    void times_derivative_f32(activation_t f, float *d, const float *a, Py_ssize_t n,
                              Py_ssize_t width)
    void times_derivative_f64(activation_t f, double *d, const double *a, Py_ssize_t n,
                              Py_ssize_t width)
    void descend_all_f32(const optimizer_t *optimizer, float *w, float *state,
                         const float *g, Py_ssize_t size)
    void descend_all_f64(const optimizer_t *optimizer, double *w, double *state,
                         const double *g, Py_ssize_t size)
    void loss_rows_f32(loss_t kind, double setting, double *E, float *delta,
                       const float *z, const targets_t *targets, double share,
                       Py_ssize_t first, Py_ssize_t end, Py_ssize_t width)
    void loss_rows_f64(loss_t kind, double setting, double *E, double *delta,
                       const double *z, const targets_t *targets, double share,
                       Py_ssize_t first, Py_ssize_t end, Py_ssize_t width)
    void batch_normalise_f32(float *y, float *hat, float *inverse, float *mean,
                             float *variance, const float *gain, const float *shift,
                             float eps, Py_ssize_t n, Py_ssize_t width,
                             Py_ssize_t first, Py_ssize_t end)
    void batch_normalise_f64(double *y, double *hat, double *inverse, double *mean,
                             double *variance, const double *gain, const double *shift,
                             double eps, Py_ssize_t n, Py_ssize_t width,
                             Py_ssize_t first, Py_ssize_t end)
    void batch_normalise_back_f32(float *delta, float *dgain, float *dshift,
                                  const float *hat, const float *inverse,
                                  const float *gain, Py_ssize_t n, Py_ssize_t width,
                                  Py_ssize_t first, Py_ssize_t end)
    void batch_normalise_back_f64(double *delta, double *dgain, double *dshift,
                                  const double *hat, const double *inverse,
                                  const double *gain, Py_ssize_t n, Py_ssize_t width,
                                  Py_ssize_t first, Py_ssize_t end)
    void layer_normalise_f32(float *y, float *hat, float *inverse, const float *gain,
                             const float *shift, float eps, Py_ssize_t width,
                             Py_ssize_t first, Py_ssize_t end)
    void layer_normalise_f64(double *y, double *hat, double *inverse,
                             const double *gain, const double *shift, double eps,
                             Py_ssize_t width, Py_ssize_t first, Py_ssize_t end)
    void layer_normalise_sums_f32(float *dgain, float *dshift, const float *delta,
                                  const float *hat, Py_ssize_t n, Py_ssize_t width,
                                  Py_ssize_t first, Py_ssize_t end)
    void layer_normalise_sums_f64(double *dgain, double *dshift, const double *delta,
                                  const double *hat, Py_ssize_t n, Py_ssize_t width,
                                  Py_ssize_t first, Py_ssize_t end)
    void layer_normalise_back_f32(float *delta, const float *hat, const float *inverse,
                                  const float *gain, Py_ssize_t width, Py_ssize_t first,
                                  Py_ssize_t end)
    void layer_normalise_back_f64(double *delta, const double *hat,
                                  const double *inverse, const double *gain,
                                  Py_ssize_t width, Py_ssize_t first, Py_ssize_t end)
    void follow_f32(float *running, const float *batch, float factor, float share,
                    Py_ssize_t first, Py_ssize_t end)
    void follow_f64(double *running, const double *batch, double factor, double share,
                    Py_ssize_t first, Py_ssize_t end)
    void fold_f32(float *W_folded, float *b_folded, const float *W, const float *shift,
                  const float *gain, const float *mean, const float *variance,
                  float eps, Py_ssize_t n_in, Py_ssize_t n_out, Py_ssize_t first,
                  Py_ssize_t end)
    void fold_f64(double *W_folded, double *b_folded, const double *W,
                  const double *shift, const double *gain, const double *mean,
                  const double *variance, double eps, Py_ssize_t n_in, Py_ssize_t n_out,
                  Py_ssize_t first, Py_ssize_t end)
    void limit_norms_f32(float *W, float most, Py_ssize_t n_in, Py_ssize_t n_out,
                         Py_ssize_t first, Py_ssize_t end)
    void limit_norms_f64(double *W, double most, Py_ssize_t n_in, Py_ssize_t n_out,
                         Py_ssize_t first, Py_ssize_t end)
    void drop_f32(float *out, const float *x, uint64_t key, double p, Py_ssize_t width,
                  Py_ssize_t first, Py_ssize_t end)
    void drop_f64(double *out, const double *x, uint64_t key, double p,
                  Py_ssize_t width, Py_ssize_t first, Py_ssize_t end)
    void add_noise_f32(float *out, const float *x, uint64_t key, double scale,
                       Py_ssize_t width, Py_ssize_t first, Py_ssize_t end)
    void add_noise_f64(double *out, const double *x, uint64_t key, double scale,
                       Py_ssize_t width, Py_ssize_t first, Py_ssize_t end)
    void accumulate_f32(float *total, const float *g, Py_ssize_t size)
    void accumulate_f64(double *total, const double *g, Py_ssize_t size)
    void scale_f32(float *g, double factor, Py_ssize_t size)
    void scale_f64(double *g, double factor, Py_ssize_t size)
    double sum_of_squares_f32(const float *g, float scale, Py_ssize_t size)
    double sum_of_squares_f64(const double *g, double scale, Py_ssize_t size)
    float largest_f32(const float *x, Py_ssize_t size)
    double largest_f64(const double *x, Py_ssize_t size)
    bint all_between_f32(const float *x, Py_ssize_t size, float low, float high)
    bint all_between_f64(const double *x, Py_ssize_t size, double low, double high)
    void elementary_f32(elementary_t f, float *out, const float *x, Py_ssize_t size)
    void elementary_f64(elementary_t f, double *out, const double *x, Py_ssize_t size)
    Py_ssize_t fma_loop_f32(float *out, Py_ssize_t iterations)
    Py_ssize_t fma_loop_f64(double *out, Py_ssize_t iterations)


ctypedef fused real:
    float
    double


cdef enum:
    # Elements that are sooner looked at than the GIL is given up and got back.
    QUICK = 20_000

# Added to a variance before its root is taken, and the share of a mini-batch's moments
# in the running ones: PyTorch's defaults.
cdef double EPS = 1e-5
cdef double SHARE = 0.1


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
    const worker_t *worker, real *out, real *z, const real *a, const real *W,
    const real *b, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out, activation_t f,
) noexcept nogil:
    """z = a @ W + b,  out = f(z)     a (n, n_in)  W (n_in, n_out)  out, z (n, n_out)

    b (n_out,) may be NULL for zeros, z may be NULL where it need not be kept.
    """
    cdef product_t p
    affine(&p, a, W, n, n_in, n_out)
    p.C, p.start = z if z != NULL else out, b
    p.finish = STORE_RELU if f == RELU and z == NULL else STORE
    multiply(worker, &p, out)
    if z != NULL or (f != RELU and f != IDENTITY):
        meet(worker)
        activate_nogil(worker, out, z if z != NULL else out, n, n_out, f)


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

    f'(z) is written in terms of a = f(z), (n, n_in), or a = z for gelu, gelu_tanh and
    silu; identity reads none of it.
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
    if p.finish == STORE and f != IDENTITY:
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
    const real *a, const real *delta, Py_ssize_t n, Py_ssize_t n_in, Py_ssize_t n_out,
    const optimizer_t *of_W, const optimizer_t *of_b,
) noexcept nogil:
    """W, b = one optimizer step by dW = a.T @ delta, db = delta.sum(0), in place

    dW and db are never stored: each tile is applied while it is in registers, or in
    the nearest cache.  b may be NULL.
    a (n, n_in)  delta (n, n_out)  W (n_in, n_out)  b (n_out,)
    """
    cdef product_t p
    cdef real one = 1
    if state_W == NULL:  # none is kept, none is touched: any address will do
        state_W, state_b = W, b
    if n == 1:
        rank_one(worker, of_W, W, state_W, a, delta, n_in, n_out)
        if b != NULL:
            rank_one(worker, of_b, b, state_b, &one, delta, 1, n_out)
        return
    weight_gradient(&p, a, delta, n, n_in, n_out)
    p.finish, p.optimizer = DESCEND, of_W
    p.C, p.state = W, state_W
    multiply(worker, &p, W)
    if b != NULL:
        bias_gradient(&p, &one, delta, n, n_out)
        p.finish, p.optimizer = DESCEND, of_b
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
    """dW = a.T @ delta,  db = delta.sum(0)     shapes as in `update`, db may be NULL"""
    cdef product_t p
    cdef real one = 1
    weight_gradient(&p, a, delta, n, n_in, n_out)
    p.C = dW
    multiply(worker, &p, dW)
    if db != NULL:
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
    const worker_t *worker, real *out, const real *z, Py_ssize_t n, Py_ssize_t n_out,
    activation_t f,
) noexcept nogil:
    """out = f(z)     out, z (n, n_out), the same array or two"""
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    out, z = out + first * n_out, z + first * n_out
    if real is float:
        activate_f32(f, out, z, end - first, n_out)
    else:
        activate_f64(f, out, z, end - first, n_out)


cdef void times_derivative_nogil(
    const worker_t *worker, real *delta, const real *a, Py_ssize_t n, Py_ssize_t n_out,
    activation_t f,
) noexcept nogil:
    """delta = delta * f'(z)     delta, a (n, n_out)

    a is f(z), for gelu, gelu_tanh and silu z.
    """
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    delta, a = delta + first * n_out, a + first * n_out
    if real is float:
        times_derivative_f32(f, delta, a, end - first, n_out)
    else:
        times_derivative_f64(f, delta, a, end - first, n_out)


cdef void loss_nogil(
    const worker_t *worker, double *E, real *delta, const real *z,
    const targets_t *targets, double scale,
    Py_ssize_t n, Py_ssize_t n_out, loss_t kind, double setting,
) noexcept nogil:
    """E[i] = w[i] E(z[i], y[i]),  delta[i] = scale w[i] dE(z[i], y[i])/dz[i]

    z, delta (n, n_out)  E (n,)  scale = 1 / n for a mean over rows.  The
    cross-entropies, the divergence and poisson_of_log take the values before their
    softmax, sigmoid or exp for z, the others activations.
    """
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    if real is float:
        loss_rows_f32(kind, setting, E, delta, z, targets, scale, first, end, n_out)
    else:
        loss_rows_f64(kind, setting, E, delta, z, targets, scale, first, end, n_out)


cdef void limit_norms_nogil(
    const worker_t *worker, real *W, double most, Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """W[:, j] = W[:, j] min(1, most / ||W[:, j]||)     W (n_in, n_out)"""
    cdef Py_ssize_t first, end
    share(worker, n_out, 16, &first, &end)
    if real is float:
        limit_norms_f32(W, <float>most, n_in, n_out, first, end)
    else:
        limit_norms_f64(W, most, n_in, n_out, first, end)


# --- normalisation --------------------------------------------------------------------


cdef void normalise_nogil(
    const worker_t *worker, real *y, real *hat, real *inverse, real *moments,
    const real *gain, const real *shift, Py_ssize_t n, Py_ssize_t n_out,
    normalisation_t kind,
) noexcept nogil:
    """hat = (u - mean) / sqrt(variance + EPS),  y = gain hat + shift

    hat (n, n_out) holds u before; y is another array.  inverse is 1 / sqrt(...) of
    each column (n_out,), for layer norm of each row (n,).  moments (2, n_out) takes
    mean and variance of batch norm.
    """
    cdef Py_ssize_t first, end
    share(worker, n_out if kind == BATCH_NORM else n, 16, &first, &end)
    if kind == BATCH_NORM:
        if real is float:
            batch_normalise_f32(y, hat, inverse, moments, moments + n_out, gain, shift,
                                EPS, n, n_out, first, end)
        else:
            batch_normalise_f64(y, hat, inverse, moments, moments + n_out, gain, shift,
                                EPS, n, n_out, first, end)
    elif real is float:
        layer_normalise_f32(y, hat, inverse, gain, shift, EPS, n_out, first, end)
    else:
        layer_normalise_f64(y, hat, inverse, gain, shift, EPS, n_out, first, end)


cdef void normalise_back_nogil(
    const worker_t *worker, real *delta, real *dgain, real *dshift, const real *hat,
    const real *inverse, const real *gain, Py_ssize_t n, Py_ssize_t n_out,
    normalisation_t kind,
) noexcept nogil:
    """delta = dE/du, dgain and dshift, from delta = dE/dy     shapes as above"""
    cdef Py_ssize_t first, end
    share(worker, n_out, 16, &first, &end)
    if kind == BATCH_NORM:
        if real is float:
            batch_normalise_back_f32(delta, dgain, dshift, hat, inverse, gain, n, n_out,
                                     first, end)
        else:
            batch_normalise_back_f64(delta, dgain, dshift, hat, inverse, gain, n, n_out,
                                     first, end)
        return
    if real is float:
        layer_normalise_sums_f32(dgain, dshift, delta, hat, n, n_out, first, end)
    else:
        layer_normalise_sums_f64(dgain, dshift, delta, hat, n, n_out, first, end)
    meet(worker)
    share(worker, n, 16, &first, &end)
    if real is float:
        layer_normalise_back_f32(delta, hat, inverse, gain, n_out, first, end)
    else:
        layer_normalise_back_f64(delta, hat, inverse, gain, n_out, first, end)


cdef void follow_nogil(
    const worker_t *worker, real *running, const real *moments, Py_ssize_t n,
    Py_ssize_t n_out,
) noexcept nogil:
    """running = running + SHARE (moments - running)     both (2, n_out)

    The variance followed is that of n - 1 degrees of freedom.
    """
    cdef Py_ssize_t first, end
    cdef double unbiased = <double>n / (n - 1) if n > 1 else 1
    share(worker, n_out, 16, &first, &end)
    if real is float:
        follow_f32(running, moments, 1, SHARE, first, end)
        follow_f32(running + n_out, moments + n_out, <float>unbiased, SHARE, first, end)
    else:
        follow_f64(running, moments, 1, SHARE, first, end)
        follow_f64(running + n_out, moments + n_out, unbiased, SHARE, first, end)


cdef void fold_nogil(
    const worker_t *worker, real *W_folded, real *b_folded, const real *W,
    const real *shift, const real *gain, const real *running,
    Py_ssize_t n_in, Py_ssize_t n_out,
) noexcept nogil:
    """W_folded = W s,  b_folded = shift - mean s,  s = gain / sqrt(variance + EPS)

    W (n_in, n_out)  running (2, n_out) holds mean and variance
    """
    cdef Py_ssize_t first, end
    share(worker, n_out, 16, &first, &end)
    if real is float:
        fold_f32(W_folded, b_folded, W, shift, gain, running, running + n_out, EPS,
                 n_in, n_out, first, end)
    else:
        fold_f64(W_folded, b_folded, W, shift, gain, running, running + n_out, EPS,
                 n_in, n_out, first, end)


# --- noise ----------------------------------------------------------------------------


cdef void drop_nogil(
    const worker_t *worker, real *out, const real *x, uint64_t key, double p,
    Py_ssize_t n, Py_ssize_t width,
) noexcept nogil:
    """out = x / (1 - p), or 0 with probability p     out, x (n, width), may be one"""
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    if real is float:
        drop_f32(out, x, key, p, width, first, end)
    else:
        drop_f64(out, x, key, p, width, first, end)


cdef void add_noise_nogil(
    const worker_t *worker, real *out, const real *x, uint64_t key, double size,
    Py_ssize_t n, Py_ssize_t width,
) noexcept nogil:
    """out = x + size N(0, 1)     out, x (n, width), may be one"""
    cdef Py_ssize_t first, end
    share(worker, n, 1, &first, &end)
    if real is float:
        add_noise_f32(out, x, key, size, width, first, end)
    else:
        add_noise_f64(out, x, key, size, width, first, end)


# --- stored gradients -----------------------------------------------------------------


cdef void add_nogil(
    const worker_t *worker, real *total, const real *g, Py_ssize_t size,
) noexcept nogil:
    """total = total + g     both (size,)"""
    cdef Py_ssize_t first, end
    share(worker, size, 64, &first, &end)
    if real is float:
        accumulate_f32(total + first, g + first, end - first)
    else:
        accumulate_f64(total + first, g + first, end - first)


cdef void scale_nogil(
    const worker_t *worker, real *g, double factor, Py_ssize_t size,
) noexcept nogil:
    """g = factor g     (size,)"""
    cdef Py_ssize_t first, end
    share(worker, size, 64, &first, &end)
    if real is float:
        scale_f32(g + first, factor, end - first)
    else:
        scale_f64(g + first, factor, end - first)


cdef void squares_nogil(
    const worker_t *worker, double *sums, const real *g, double scale, Py_ssize_t size,
) noexcept nogil:
    """sums[i] = sum of (scale g[j])^2 for j = i SQUARES .. (i + 1) SQUARES"""
    cdef Py_ssize_t i, first, end, count, blocks = (size + SQUARES - 1) // SQUARES
    share(worker, blocks, 1, &first, &end)
    for i in range(first, end):
        count = min(SQUARES, size - i * SQUARES)
        if real is float:
            sums[i] = sum_of_squares_f32(g + i * SQUARES, <float>scale, count)
        else:
            sums[i] = sum_of_squares_f64(g + i * SQUARES, scale, count)


cdef void largest_nogil(
    const worker_t *worker, double *largest, const real *g, Py_ssize_t size,
) noexcept nogil:
    """largest[i] = max |g[j]| for j = i SQUARES .. (i + 1) SQUARES"""
    cdef Py_ssize_t i, first, end, count, blocks = (size + SQUARES - 1) // SQUARES
    share(worker, blocks, 1, &first, &end)
    for i in range(first, end):
        count = min(SQUARES, size - i * SQUARES)
        if real is float:
            largest[i] = largest_f32(g + i * SQUARES, count)
        else:
            largest[i] = largest_f64(g + i * SQUARES, count)


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
    table.prepare = <prepare_t>prepare
    table.forward = <forward_t>forward_nogil[real]
    table.activate = <activate_t>activate_nogil[real]
    table.propagate = <propagate_t>propagate_nogil[real]
    table.update = <update_t>update_nogil[real]
    table.gradient = <gradient_t>gradient_nogil[real]
    table.descend = <descend_t>descend_nogil[real]
    table.limit_norms = <limit_norms_t>limit_norms_nogil[real]
    table.times_derivative = <times_derivative_t>times_derivative_nogil[real]
    table.loss = <loss_function_t>loss_nogil[real]
    table.normalise = <normalise_t>normalise_nogil[real]
    table.normalise_back = <normalise_back_t>normalise_back_nogil[real]
    table.follow = <follow_t>follow_nogil[real]
    table.fold = <fold_t>fold_nogil[real]
    table.drop = <noise_t>drop_nogil[real]
    table.add_noise = <noise_t>add_noise_nogil[real]
    table.add = <add_t>add_nogil[real]
    table.scale = <scale_t>scale_nogil[real]
    table.squares = <squares_t>squares_nogil[real]
    table.largest = <largest_t>largest_nogil[real]
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
    "leaky_relu": LEAKY_RELU,
    "elu": ELU,
    "selu": SELU,
    "gelu": GELU,
    "gelu_tanh": GELU_TANH,
    "silu": SILU,
    "softplus": SOFTPLUS,
    "softsign": SOFTSIGN,
    "hard_sigmoid": HARD_SIGMOID,
    "hard_tanh": HARD_TANH,
    "exp": EXPONENTIAL,
    "step": STEP,
}
LOSSES = {
    "squared_error": SQUARED_ERROR,
    "mean_squared_error": MEAN_SQUARED_ERROR,
    "cross_entropy": CROSS_ENTROPY,
    "binary_cross_entropy": BINARY_CROSS_ENTROPY,
    "mean_absolute_error": MEAN_ABSOLUTE_ERROR,
    "huber": HUBER,
    "quantile": QUANTILE,
    "log_cosh": LOG_COSH,
    "hinge": HINGE,
    "poisson": POISSON,
    "poisson_of_log": POISSON_OF_LOG,
    "kl_divergence": KL_DIVERGENCE,
}
ELEMENTARY = {
    "exp": EXP,
    "log": LOG,
    "log1p": LOG1P,
    "tanh": TANH_OF,
    "sigmoid": SIGMOID_OF,
    "expm1": EXPM1,
    "normal_cdf": NORMAL_CDF,
    "log_cosh": LOG_COSH_OF,
}
NORMALISATIONS = {None: NOT_NORMALISED, "batch": BATCH_NORM, "layer": LAYER_NORM}
RULES = {
    "plain": PLAIN,
    "plain_momentum": PLAIN_MOMENTUM,
    "plain_nesterov": PLAIN_NESTEROV,
    "sgd": SGD,
    "momentum": MOMENTUM,
    "rmsprop": RMSPROP,
    "adagrad": ADAGRAD,
    "adam": ADAM,
    "amsgrad": AMSGRAD,
    "nadam": NADAM,
    "adamax": ADAMAX,
    "radam": RADAM,
    "lion": LION,
    "rprop": RPROP,
}
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

include "_kernel_functions.pxi"
