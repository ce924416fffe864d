"""The engine: one mini-batch forward, backward and updated, without the GIL.

An ``Engine`` is the order in which kernels are called, over raw pointers into buffers
that ``Network`` owns.  It checks nothing but that it is not entered from two threads at
once: arrays come C-contiguous, of the network's dtype and of matching shapes (labels
int64, weights float64).  ``reference.Engine`` is its twin in NumPy.

The buffers, with n the capacity in rows::

    parameters, state, gradient    W[0] b[0] W[1] b[1] ... one after the other
    workspace                      a[1] (n, n_1) ... a[L] (n, n_L), two deltas
                                   (n, widest), and one gathered mini-batch X, y, weight
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from bpcore._kernels cimport (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    IDENTITY,
    activation_t,
    kernel_table,
    loss_t,
    optimizer_t,
    rule_t,
)


cdef extern from "csrc/clock.h" nogil:
    double seconds_now "bpcore_seconds"()


cdef enum:
    ALIGNMENT = 64


cdef struct layer_t:
    Py_ssize_t n_in
    Py_ssize_t n_out
    activation_t f
    Py_ssize_t W_at      # bytes from the start of a parameter-sized buffer
    Py_ssize_t b_at


# One mini-batch: X (n, n_0) and either y (n, n_L) or labels (n,); weight may be NULL.
cdef struct batch_t:
    Py_ssize_t n
    const char *X
    const char *y
    const int64_t *labels
    const double *weight


cdef char *address(object array, int flags=PyBUF_SIMPLE) except? NULL:
    """Where the data of a C-contiguous array begins; the caller keeps it alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, flags)
    cdef char *start = <char *>view.buf
    PyBuffer_Release(&view)
    return start


cdef inline char *part(char *start, Py_ssize_t *at, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes from `start`; `at` moves to the cache line after them."""
    cdef char *here = start + at[0] if start != NULL else NULL
    at[0] += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    return here


cdef class Engine:
    """Calls the kernels of one network in order.

    Parameters
    ----------
    kernels : module, one build of ``_kernels``
    dtype : "float32" or "float64"
    sizes : sequence of int, n_0 .. n_L
    activations : sequence of str, the name of each layer's f
    loss : str
    parameters : writable flat array, kept alive
    """

    cdef const kernel_table *k
    cdef Py_ssize_t L, widest
    cdef layer_t *layers
    cdef loss_t loss
    cdef bint loss_takes_z
    cdef optimizer_t optimizer
    cdef char *parameters
    cdef char *state
    cdef object kernels, kept_parameters, kept_state
    # The workspace, and its parts.
    cdef object workspace
    cdef readonly Py_ssize_t capacity
    cdef const char **a
    cdef char *delta
    cdef char *other_delta
    cdef batch_t gathered
    # Who is inside.
    cdef unsigned long owner
    cdef int depth

    def __cinit__(self, kernels, dtype, sizes, activations, loss, parameters):
        cdef Py_ssize_t l, at = 0
        self.k = <const kernel_table *>PyCapsule_GetPointer(
            kernels.TABLES[dtype], "bpcore.kernel_table"
        )
        self.L = len(sizes) - 1
        self.layers = <layer_t *>PyMem_Calloc(self.L, sizeof(layer_t))
        self.a = <const char **>PyMem_Calloc(self.L + 1, sizeof(char *))
        if self.layers == NULL or self.a == NULL:
            raise MemoryError()
        for l in range(self.L):
            layer = &self.layers[l]
            layer.n_in, layer.n_out = sizes[l], sizes[l + 1]
            layer.f = <activation_t><int>kernels.ACTIVATIONS[activations[l]]
            layer.W_at = at
            layer.b_at = at + layer.n_in * layer.n_out * self.k.itemsize
            at = layer.b_at + layer.n_out * self.k.itemsize
            self.widest = max(self.widest, layer.n_out)
        self.loss = <loss_t><int>kernels.LOSSES[loss]
        self.loss_takes_z = self.loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY)
        self.parameters = address(parameters, PyBUF_WRITABLE)
        self.kernels = kernels
        self.kept_parameters = parameters

    def __dealloc__(self):
        PyMem_Free(self.layers)
        PyMem_Free(self.a)

    # --- who is inside ----------------------------------------------------------------

    def __enter__(self):
        cdef unsigned long me = PyThread_get_thread_ident()
        if self.depth > 0 and self.owner != me:
            raise RuntimeError(
                "this network is in use by another thread; "
                "give each thread a network of its own"
            )
        self.owner = me
        self.depth += 1
        return self

    def __exit__(self, *exception):
        self.depth -= 1

    # --- buffers ----------------------------------------------------------------------

    def use_optimizer(self, optimizer, state):
        """Update by these settings; `state` is laid out like parameters, or None."""
        self.optimizer.rule = <rule_t><int>self.kernels.RULES[optimizer.rule]
        self.optimizer.lr = optimizer.lr
        self.optimizer.momentum = optimizer.momentum
        self.optimizer.weight_decay = optimizer.weight_decay
        self.state = NULL if state is None else address(state, PyBUF_WRITABLE)
        self.kept_state = state

    def drop_workspace(self, Py_ssize_t n):
        """Forget the workspace; returns the size of one for mini-batches of n rows."""
        self.workspace, self.capacity = None, 0
        return self.carve(NULL, n)

    def use_workspace(self, workspace, Py_ssize_t n):
        """Work in this 64-byte aligned array, of the size `drop_workspace(n)` told."""
        self.carve(address(workspace, PyBUF_WRITABLE), n)
        self.workspace = workspace
        self.capacity = n

    cdef Py_ssize_t carve(self, char *start, Py_ssize_t n) noexcept:
        """Point every part into the workspace at `start`; returns its size."""
        cdef Py_ssize_t l, size = self.k.itemsize, at = 0
        cdef Py_ssize_t n_out = self.layers[self.L - 1].n_out
        for l in range(self.L):
            self.a[l + 1] = part(start, &at, n * self.layers[l].n_out * size)
        self.delta = part(start, &at, n * self.widest * size)
        self.other_delta = part(start, &at, n * self.widest * size)
        self.gathered.X = part(start, &at, n * self.layers[0].n_in * size)
        self.gathered.y = part(
            start, &at, n * max(n_out * size, <Py_ssize_t>sizeof(int64_t))
        )
        self.gathered.labels = <const int64_t *>self.gathered.y
        self.gathered.weight = <const double *>part(start, &at, n * sizeof(double))
        return at

    # --- one mini-batch, without the GIL ----------------------------------------------

    cdef void forward_pass(
        self, const char *X, char *out, Py_ssize_t n, activation_t f_last,
    ) noexcept nogil:
        """a[l+1] = f[l](a[l] @ W[l] + b[l]) from a[0] = X; the last goes to `out`."""
        cdef Py_ssize_t l
        cdef bint last
        self.a[0] = X
        for l in range(self.L):
            layer = &self.layers[l]
            last = l == self.L - 1
            self.k.forward(
                out if last else <char *>self.a[l + 1], self.a[l],
                self.parameters + layer.W_at, self.parameters + layer.b_at,
                n, layer.n_in, layer.n_out, f_last if last else layer.f,
            )

    cdef void backward_pass(
        self, const char **a, Py_ssize_t n, char *gradient, char *dX,
    ) noexcept nogil:
        """From delta[L-1] in self.delta, for l = L-1 .. 0:

            delta[l-1] = (delta[l] @ W[l].T) * f'[l-1](z[l-1])    from the old W[l],
            W[l], b[l] updated in place, or dW[l], db[l] stored in `gradient`

        and dX = delta[0] @ W[0].T where dX is asked for.
        """
        cdef Py_ssize_t l
        cdef char *delta = self.delta
        cdef char *before = self.other_delta
        for l in range(self.L - 1, -1, -1):
            layer = &self.layers[l]
            W = self.parameters + layer.W_at
            if l > 0:
                self.k.propagate(before, delta, W, a[l], n, layer.n_in, layer.n_out,
                                 self.layers[l - 1].f)
            elif dX != NULL:
                self.k.propagate(dX, delta, W, NULL, n, layer.n_in, layer.n_out,
                                 IDENTITY)
            if gradient != NULL:
                self.k.gradient(
                    gradient + layer.W_at, gradient + layer.b_at,
                    a[l], delta, n, layer.n_in, layer.n_out,
                )
            else:
                self.k.update(
                    W, self.parameters + layer.b_at,
                    self.state + layer.W_at if self.state != NULL else NULL,
                    self.state + layer.b_at if self.state != NULL else NULL,
                    a[l], delta, n, layer.n_in, layer.n_out, &self.optimizer,
                )
            delta, before = before, delta

    cdef double loss_pass(self, const batch_t *batch, double *total) noexcept nogil:
        """total += sum(w E);  self.delta = delta[L-1] of the mean;  returns sum(w)"""
        cdef Py_ssize_t i
        cdef double weights = batch.n
        last = &self.layers[self.L - 1]
        cdef char *output = <char *>self.a[self.L]
        self.forward_pass(batch.X, output, batch.n,
                          IDENTITY if self.loss_takes_z else last.f)
        if batch.weight != NULL:
            weights = 0
            for i in range(batch.n):
                weights += batch.weight[i]
        # A mini-batch whose weights are all zero asks for nothing: its delta is zero.
        self.k.loss(total, self.delta, output, batch.y, batch.labels, batch.weight,
                    1 / weights if weights > 0 else 0, batch.n, last.n_out, self.loss)
        if not self.loss_takes_z:
            self.k.times_derivative(self.delta, output, batch.n, last.n_out, last.f)
        return weights

    cdef bint step(
        self, const batch_t *batch, double *total, double *weights,
    ) noexcept nogil:
        """One fused step; false, with nothing changed, if the loss is not finite."""
        cdef double loss = 0
        cdef double weight = self.loss_pass(batch, &loss)
        if not isfinite(loss):
            return False
        self.backward_pass(self.a, batch.n, NULL, NULL)
        total[0] += loss
        weights[0] += weight
        return True

    cdef batch_t rows(
        self, const batch_t *data, Py_ssize_t first, Py_ssize_t n,
    ) noexcept nogil:
        """Rows first .. first + n of the data, in place."""
        cdef Py_ssize_t n_out = self.layers[self.L - 1].n_out
        cdef batch_t batch
        batch.n = n
        batch.X = data.X + first * self.layers[0].n_in * self.k.itemsize
        batch.y = data.y + first * n_out * self.k.itemsize if data.y != NULL else NULL
        batch.labels = data.labels + first if data.labels != NULL else NULL
        batch.weight = data.weight + first if data.weight != NULL else NULL
        return batch

    cdef batch_t gather(
        self, const batch_t *data, const int64_t *order, Py_ssize_t n,
    ) noexcept nogil:
        """Rows order[0] .. order[n-1] of the data, copied together."""
        cdef Py_ssize_t i
        cdef Py_ssize_t X_size = self.layers[0].n_in * self.k.itemsize
        cdef Py_ssize_t y_size = self.layers[self.L - 1].n_out * self.k.itemsize
        cdef batch_t batch = self.gathered
        batch.n = n
        if data.y == NULL:
            batch.y = NULL
        if data.labels == NULL:
            batch.labels = NULL
        if data.weight == NULL:
            batch.weight = NULL
        for i in range(n):
            memcpy(<char *>batch.X + i * X_size, data.X + order[i] * X_size, X_size)
            if data.y != NULL:
                memcpy(<char *>batch.y + i * y_size, data.y + order[i] * y_size, y_size)
            if data.labels != NULL:
                (<int64_t *>batch.labels)[i] = data.labels[order[i]]
            if data.weight != NULL:
                (<double *>batch.weight)[i] = data.weight[order[i]]
        return batch

    cdef batch_t data(self, X, y, weight) except *:
        cdef batch_t batch
        batch.n = X.shape[0]
        batch.X = address(X)
        batch.y = address(y) if y.ndim == 2 else NULL
        batch.labels = <const int64_t *>address(y) if y.ndim == 1 else NULL
        batch.weight = <const double *>address(weight) if weight is not None else NULL
        return batch

    # --- what Network calls -----------------------------------------------------------

    def predict(
        self, X, out, Py_ssize_t first, Py_ssize_t rows_at_a_time, double seconds,
    ):
        """out = a[L] for a[0] = X from row `first` on, for about so many seconds.

        Returns the row to go on from.
        """
        cdef Py_ssize_t n, N = X.shape[0]
        cdef Py_ssize_t X_size = self.layers[0].n_in * self.k.itemsize
        cdef Py_ssize_t out_size = self.layers[self.L - 1].n_out * self.k.itemsize
        cdef const char *X_at = address(X)
        cdef char *out_at = address(out, PyBUF_WRITABLE)
        cdef double deadline = seconds_now() + seconds
        with self:
            with nogil:
                while first < N:
                    n = min(rows_at_a_time, N - first)
                    self.forward_pass(X_at + first * X_size, out_at + first * out_size,
                                      n, self.layers[self.L - 1].f)
                    first += n
                    if seconds_now() >= deadline:
                        break
        return first

    def evaluate(
        self, X, y, weight, Py_ssize_t first, double total, double weights,
        Py_ssize_t rows_at_a_time, double seconds,
    ):
        """Add w E and w of the rows from `first` on, for about so many seconds.

        Returns the row to go on from and both sums: one chain of additions each, so
        that no bit depends on when the time was used up.
        """
        cdef batch_t batch, data = self.data(X, y, weight)
        cdef double deadline = seconds_now() + seconds
        with self:
            with nogil:
                while first < data.n:
                    batch = self.rows(&data, first,
                                      min(rows_at_a_time, data.n - first))
                    weights += self.loss_pass(&batch, &total)
                    first += batch.n
                    if seconds_now() >= deadline:
                        break
        return first, total, weights

    def train_step(self, X, y, weight):
        """One fused step; returns the loss before it, or NaN with nothing changed."""
        cdef batch_t batch = self.data(X, y, weight)
        cdef double total = 0, weights = 0
        cdef bint finite
        with self:
            with nogil:
                finite = self.step(&batch, &total, &weights)
        if not finite:
            return float("nan")
        return total / weights if weights > 0 else 0.0

    def run(
        self, X, y, weight, order, Py_ssize_t batch_size, Py_ssize_t first,
        double total, double weights, double seconds,
    ):
        """Fused steps from row `first` of the order on, for about so many seconds.

        Parameters
        ----------
        order : int64 array (n,), or None for the rows as they lie
        total, weights : the sums of w E and of w so far

        Returns
        -------
        first, total, weights, finite
            The row to go on from, both sums, and whether every loss was finite; if not,
            `first` begins the mini-batch whose loss was not, which changed nothing.
        """
        cdef batch_t batch, data = self.data(X, y, weight)
        cdef const int64_t *order_at = NULL
        cdef Py_ssize_t n
        cdef double deadline = seconds_now() + seconds
        cdef bint finite = True
        if order is not None:
            order_at = <const int64_t *>address(order)
        with self:
            with nogil:
                while first < data.n:
                    n = min(batch_size, data.n - first)
                    if order_at != NULL:
                        batch = self.gather(&data, order_at + first, n)
                    else:
                        batch = self.rows(&data, first, n)
                    finite = self.step(&batch, &total, &weights)
                    if not finite:
                        break
                    first += n
                    if seconds_now() >= deadline:
                        break
        return first, total, weights, finite

    def gradients(self, X, y, weight, gradient, dX):
        """The loss; its gradient by the parameters, and by X unless dX is None."""
        cdef batch_t batch = self.data(X, y, weight)
        cdef char *gradient_at = address(gradient, PyBUF_WRITABLE)
        cdef char *dX_at = address(dX, PyBUF_WRITABLE) if dX is not None else NULL
        cdef double total = 0, weights
        with self:
            with nogil:
                weights = self.loss_pass(&batch, &total)
                self.backward_pass(self.a, batch.n, gradient_at, dX_at)
        return total / weights if weights > 0 else 0.0

    def forward(self, activations):
        """a[1] .. a[L] from a[0], every one of them in its own array."""
        cdef Py_ssize_t l, n = activations[0].shape[0]
        cdef const char *a
        cdef char *out
        with self:
            for l in range(self.L):
                layer = &self.layers[l]
                a = address(activations[l])
                out = address(activations[l + 1], PyBUF_WRITABLE)
                with nogil:
                    self.k.forward(
                        out, a,
                        self.parameters + layer.W_at, self.parameters + layer.b_at,
                        n, layer.n_in, layer.n_out, layer.f,
                    )

    def backward(self, activations, d_output, gradient, dX):
        """The gradient by the parameters and by X, from dE/da[L] and all of a."""
        cdef Py_ssize_t l, n = d_output.shape[0]
        cdef char *gradient_at = address(gradient, PyBUF_WRITABLE)
        cdef char *dX_at = address(dX, PyBUF_WRITABLE)
        cdef const char *d_output_at = address(d_output)
        last = &self.layers[self.L - 1]
        cdef const char **a = <const char **>PyMem_Calloc(self.L + 1, sizeof(char *))
        if a == NULL:
            raise MemoryError()
        try:
            for l in range(self.L + 1):
                a[l] = address(activations[l])
            with self:
                with nogil:
                    memcpy(self.delta, d_output_at, n * last.n_out * self.k.itemsize)
                    self.k.times_derivative(self.delta, a[self.L], n, last.n_out,
                                            last.f)
                    self.backward_pass(a, n, gradient_at, dX_at)
        finally:
            PyMem_Free(a)

    def apply(self, gradient):
        """One optimizer step on all parameters from a stored gradient."""
        cdef const char *gradient_at = address(gradient)
        last = &self.layers[self.L - 1]
        cdef Py_ssize_t size = last.b_at // self.k.itemsize + last.n_out
        with self:
            with nogil:
                self.k.descend(self.parameters, self.state, gradient_at, size,
                               &self.optimizer)


cdef inline uint64_t high_product(uint64_t a, uint64_t b) noexcept nogil:
    """a * b / 2^64, rounded down."""
    cdef uint64_t low = 0xFFFFFFFF
    cdef uint64_t a0 = a & low, a1 = a >> 32, b0 = b & low, b1 = b >> 32
    cdef uint64_t middle = a1 * b0 + (a0 * b0 >> 32)
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & low)) >> 32)


def shuffle(int64_t[::1] order, const uint64_t[::1] words):
    """Fisher and Yates's shuffle of `order` in place, from one random word a place.

    For i = n-1 .. 1: swap order[i] and order[j], j = words[i] * (i + 1) / 2^64.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore._engine import shuffle
    >>> order = np.arange(3)
    >>> shuffle(order, np.array([0, 0, 2**63], dtype=np.uint64))
    >>> order
    array([2, 0, 1])
    """
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(order.shape[0] - 1, 0, -1):
            j = <Py_ssize_t>high_product(words[i], <uint64_t>(i + 1))
            order[i], order[j] = order[j], order[i]


def labels_below(const int64_t[::1] labels, int64_t n_out):
    """Whether 0 <= labels[i] < n_out for every i, as a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore._engine import labels_below
    >>> labels_below(np.array([0, 2]), 3), labels_below(np.array([0, -1]), 3)
    (True, False)
    """
    cdef Py_ssize_t i
    cdef bint below = True
    with nogil:
        for i in range(labels.shape[0]):
            below &= <uint64_t>labels[i] < <uint64_t>n_out
    return bool(below)
