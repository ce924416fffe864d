"""The engine: one mini-batch forward, backward and updated, without the GIL.

An ``Engine`` is the order in which kernels are called, over raw pointers into buffers
that ``Network`` owns.  It checks nothing but that it is not entered from two threads
at once: arrays come C-contiguous, of the network's dtype and of matching shapes (labels
int64, weights float64).  Only ``step_at_once`` and ``predict_at_once`` look at what
they are given, to spare a small net the way through Python.  ``reference.Engine`` is
its twin in NumPy.

The buffers, with n the capacity in rows::

    parameters, state, gradient    W[0] b[0] W[1] b[1] ... one after the other
    workspace                      a[1] (n, n_1) ... a[L] (n, n_L), two deltas
                                   (n, widest), the losses E (n,), gathered rows of X,
                                   and a room per worker

Every function below that takes a worker is run by all workers of a task at once, each
doing its share of every kernel.  Between kernels all meet, so that each may read what
the others wrote.
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from cpython.object cimport Py_TYPE, PyTypeObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from bpcore._kernels cimport (
    BINARY_CROSS_ENTROPY,
    CROSS_ENTROPY,
    IDENTITY,
    activation_t,
    kernel_table,
    loss_t,
    meet,
    optimizer_t,
    rule_t,
    share,
    targets_t,
    worker_t,
)


cdef extern from "csrc/clock.h" nogil:
    double seconds_now "bpcore_seconds"()


cdef extern from "csrc/team.h" nogil:
    ctypedef void (*job_t "bpcore_job")(
        void *task, const worker_t *worker,
    ) noexcept nogil
    void found_team "bpcore_found_team"()
    void run_job "bpcore_run"(int count, char *rooms, Py_ssize_t room_size, job_t job,
                              void *task)


found_team()


cdef enum:
    ALIGNMENT = 64
    # Multiply-adds of a step, for each worker, from which another one pays; and so many
    # times that where it must be woken for this step alone (docs/decisions.md).
    WORK = 1_000_000
    WAKING = 8
    # Multiply-adds of a pass: tasks of fewer keep the GIL, which takes longer to give
    # up and get back; runs of such steps look at the clock every CLOCK_EVERY-th time.
    QUICK = 20_000
    CLOCK_EVERY = 16
    # Rows that are predicted without looking at the clock.
    AT_ONCE = 256


cdef struct layer_t:
    Py_ssize_t n_in
    Py_ssize_t n_out
    activation_t f
    Py_ssize_t W_at      # bytes from the start of a parameter-sized buffer
    Py_ssize_t b_at


# One mini-batch: X (n, n_0) and its targets.
cdef struct batch_t:
    Py_ssize_t n
    const char *X
    targets_t targets


# A network as the workers see it: nothing of Python.
cdef struct net_t:
    const kernel_table *k
    Py_ssize_t L, widest, size      # layers, units of the widest, parameters
    layer_t *layers
    loss_t loss
    bint loss_takes_z
    double largest                  # finite number of the dtype
    optimizer_t optimizer
    char *parameters
    char *state
    # The workspace.
    const char **a                  # a[0] .. a[L]; the ends point where X and out are
    char *output                    # a[L] where nobody asked for it
    char *delta
    char *other_delta
    double *E
    char *gathered                  # rows of X
    char *rooms
    Py_ssize_t room_size


cdef enum what_t:
    PREDICT
    EVALUATE
    TRAIN
    DIFFERENTIATE


# What the engine is asked for, and what comes of it.
cdef struct task_t:
    net_t *net
    what_t what
    batch_t data
    Py_ssize_t first                # row to go on from
    Py_ssize_t rows                 # of a mini-batch
    double deadline
    double total, weights           # sums of w E and of w
    bint finite                     # every loss, or every X that was to be looked at
    bint looks                      # whether predictions are made of finite X only
    bint late
    bint found                      # something in X that is not finite
    char *out                       # where predictions go
    char *gradient                  # where derivatives go
    char *dX
    const char **a                  # activations of a tape


# --- one mini-batch, by all workers ---------------------------------------------------


cdef void forward_pass(
    const net_t *net, const worker_t *worker, const char **a, Py_ssize_t n,
    activation_t f_last,
) noexcept nogil:
    """a[l+1] = f[l](a[l] @ W[l] + b[l])"""
    cdef Py_ssize_t l
    for l in range(net.L):
        layer = &net.layers[l]
        net.k.forward(
            worker, <char *>a[l + 1], a[l],
            net.parameters + layer.W_at, net.parameters + layer.b_at,
            n, layer.n_in, layer.n_out, f_last if l == net.L - 1 else layer.f,
        )
        meet(worker)


cdef void backward_pass(
    const net_t *net, const worker_t *worker, const char **a, Py_ssize_t n,
    char *gradient, char *dX,
) noexcept nogil:
    """From delta[L-1] in net.delta, for l = L-1 .. 0:

        delta[l-1] = (delta[l] @ W[l].T) * f'[l-1](z[l-1])    from the old W[l],
        W[l], b[l] updated in place, or dW[l], db[l] stored in `gradient`

    and dX = delta[0] @ W[0].T where dX is asked for.
    """
    cdef Py_ssize_t l
    cdef char *delta = net.delta
    cdef char *before = net.other_delta
    for l in range(net.L - 1, -1, -1):
        layer = &net.layers[l]
        W = net.parameters + layer.W_at
        if l > 0:
            net.k.propagate(worker, before, delta, W, a[l], n, layer.n_in, layer.n_out,
                            net.layers[l - 1].f)
        elif dX != NULL:
            net.k.propagate(worker, dX, delta, W, NULL, n, layer.n_in, layer.n_out,
                            IDENTITY)
        meet(worker)
        if gradient != NULL:
            net.k.gradient(
                worker, gradient + layer.W_at, gradient + layer.b_at,
                a[l], delta, n, layer.n_in, layer.n_out,
            )
        else:
            net.k.update(
                worker, W, net.parameters + layer.b_at,
                net.state + layer.W_at if net.state != NULL else NULL,
                net.state + layer.b_at if net.state != NULL else NULL,
                a[l], delta, n, layer.n_in, layer.n_out, &net.optimizer,
            )
        meet(worker)
        delta, before = before, delta


cdef double loss_pass(
    const net_t *net, const worker_t *worker, const batch_t *batch, double *total,
) noexcept nogil:
    """total += sum(w E);  net.delta = delta[L-1] of the mean;  returns sum(w)"""
    cdef Py_ssize_t i, n = batch.n
    cdef double weights = n
    last = &net.layers[net.L - 1]
    cdef char *output = <char *>net.a[net.L]
    forward_pass(net, worker, net.a, n, IDENTITY if net.loss_takes_z else last.f)
    targets = &batch.targets
    if targets.weight != NULL:
        weights = 0
        for i in range(n):
            weights += targets.weight[targets.order[i] if targets.order != NULL else i]
    # A mini-batch whose weights are all zero asks for nothing: its delta is zero.
    net.k.loss(worker, net.E, net.delta, output, targets,
               1 / weights if weights > 0 else 0, n, last.n_out, net.loss)
    if not net.loss_takes_z:  # of the same rows: no need to meet
        net.k.times_derivative(worker, net.delta, output, n, last.n_out, last.f)
    meet(worker)
    for i in range(n):
        total[0] += net.E[i]
    return weights


cdef bint step(
    const net_t *net, const worker_t *worker, const batch_t *batch,
    double *total, double *weights,
) noexcept nogil:
    """One fused step; false, with nothing changed, if the loss is not finite."""
    cdef double loss = 0
    cdef double weight = loss_pass(net, worker, batch, &loss)
    if not isfinite(loss):
        return False
    backward_pass(net, worker, net.a, batch.n, NULL, NULL)
    total[0] += loss
    weights[0] += weight
    return True


cdef batch_t rows(
    const net_t *net, const worker_t *worker, const batch_t *data, Py_ssize_t first,
    Py_ssize_t n,
) noexcept nogil:
    """n rows from `first` on; where they have an order, X is copied together."""
    cdef Py_ssize_t i, start, end, size = net.layers[0].n_in * net.k.itemsize
    cdef batch_t batch = data[0]
    batch.n = n
    if data.targets.order != NULL:
        batch.X = net.gathered
        batch.targets.order += first
        share(worker, n, 1, &start, &end)
        for i in range(start, end):
            memcpy(net.gathered + i * size,
                   data.X + batch.targets.order[i] * size, size)
        return batch
    batch.X += first * size
    if batch.targets.y != NULL:
        batch.targets.y = <const char *>batch.targets.y + (
            first * net.layers[net.L - 1].n_out * net.k.itemsize
        )
    if batch.targets.labels != NULL:
        batch.targets.labels += first
    if batch.targets.weight != NULL:
        batch.targets.weight += first
    return batch


# --- tasks ----------------------------------------------------------------------------


cdef void walk(void *task_, const worker_t *worker) noexcept nogil:
    """Mini-batch after mini-batch from row `first` on, until the rows or the time end.

    The sums are one chain of additions each, which every worker does for itself: no bit
    depends on when the time was used up.
    """
    task = <task_t *>task_
    net = task.net
    cdef batch_t batch
    cdef Py_ssize_t n, first = task.first, steps = 0
    cdef Py_ssize_t out_size = net.layers[net.L - 1].n_out * net.k.itemsize
    cdef Py_ssize_t clock_every = 1 if task.rows * net.size > QUICK else CLOCK_EVERY
    cdef double total = task.total, weights = task.weights
    cdef bint finite = True, late = False
    while first < task.data.n and finite and not late:
        n = min(task.rows, task.data.n - first)
        batch = rows(net, worker, &task.data, first, n)
        if worker.index == 0:
            net.a[0], net.a[net.L] = batch.X, net.output
            if task.what == PREDICT:
                net.a[net.L] = task.out + first * out_size
            steps += 1
            if steps % clock_every == 0:
                task.late = seconds_now() >= task.deadline
        if task.looks:
            look(task, worker, &batch)
        meet(worker)
        late, finite = task.late, not task.found
        if not finite:
            break
        if task.what == PREDICT:
            forward_pass(net, worker, net.a, n, net.layers[net.L - 1].f)
        elif task.what == TRAIN:
            finite = step(net, worker, &batch, &total, &weights)
        else:
            weights += loss_pass(net, worker, &batch, &total)
            if task.what == DIFFERENTIATE:
                backward_pass(net, worker, net.a, n, task.gradient, task.dX)
        if finite:
            first += n
    if worker.index == 0:
        task.first, task.finite = first, finite
        task.total, task.weights = total, weights


cdef void look(
    task_t *task, const worker_t *worker, const batch_t *batch,
) noexcept nogil:
    """Tell if X is not finite, a mini-batch at a time: it is in a near cache then."""
    net = task.net
    cdef Py_ssize_t first, end, n_in = net.layers[0].n_in
    share(worker, batch.n, 1, &first, &end)
    if not net.k.all_between(batch.X + first * n_in * net.k.itemsize,
                             (end - first) * n_in, -net.largest, net.largest):
        task.found = True


cdef void tape_forward(void *task_, const worker_t *worker) noexcept nogil:
    """a[1] .. a[L] of a tape from its a[0]."""
    task = <task_t *>task_
    forward_pass(task.net, worker, task.a, task.data.n,
                 task.net.layers[task.net.L - 1].f)


cdef void tape_backward(void *task_, const worker_t *worker) noexcept nogil:
    """All derivatives from dE/da[L], which lies in net.delta, and the tape."""
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    net.k.times_derivative(worker, net.delta, task.a[net.L], task.data.n, last.n_out,
                           last.f)
    meet(worker)
    backward_pass(net, worker, task.a, task.data.n, task.gradient, task.dX)


cdef void descend(void *task_, const worker_t *worker) noexcept nogil:
    """One optimizer step on all parameters from a stored gradient."""
    task = <task_t *>task_
    net = task.net
    net.k.descend(worker, net.parameters, net.state, task.gradient, net.size,
                  &net.optimizer)


# --- arrays ---------------------------------------------------------------------------


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


# What an array is, as far as it can be used where it lies; ndim 0: it cannot.
cdef struct plain_t:
    char *at
    int ndim
    Py_ssize_t n, width  # rows; elements of a row, 1 for a vector
    char kind            # of its elements: f, d, LABEL for int64, or another

cdef enum:
    LABEL = 1  # no type's letter

cdef const PyTypeObject *NDARRAY = <PyTypeObject *>np.ndarray


cdef plain_t plain(object array) noexcept:
    """What a C-contiguous, aligned ndarray of float32, float64 or int64 is."""
    cdef plain_t it
    cdef Py_buffer view
    memset(&it, 0, sizeof(plain_t))
    if Py_TYPE(array) != NDARRAY:  # a subclass may mean something else by its data
        return it
    try:
        PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    except Exception:
        return it
    if view.format[1] == 0 and 1 <= view.ndim <= 2 and (
        <size_t>view.buf % <size_t>view.itemsize == 0
    ):
        it.kind = view.format[0]
        if it.kind in (c"l", c"q"):  # C's long and long long
            it.kind = LABEL if view.itemsize == sizeof(int64_t) else 0
        it.ndim, it.at = view.ndim, <char *>view.buf
        it.n, it.width = view.shape[0], view.shape[1] if view.ndim == 2 else 1
    PyBuffer_Release(&view)
    return it


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

    cdef net_t net
    cdef object kernels, kept_parameters, kept_state, workspace
    cdef object dtype
    cdef char kind
    cdef bint labels_allowed, unit_targets
    cdef readonly int n_threads
    cdef Py_ssize_t work
    cdef readonly Py_ssize_t capacity
    cdef readonly bint gathers
    # Who is inside.
    cdef unsigned long owner
    cdef int depth

    def __cinit__(self, kernels, dtype, sizes, activations, loss, parameters):
        cdef Py_ssize_t l, at = 0
        net = &self.net
        net.k = <const kernel_table *>PyCapsule_GetPointer(
            kernels.TABLES[dtype], "bpcore.kernel_table"
        )
        net.L = len(sizes) - 1
        net.layers = <layer_t *>PyMem_Calloc(net.L, sizeof(layer_t))
        net.a = <const char **>PyMem_Calloc(net.L + 1, sizeof(char *))
        if net.layers == NULL or net.a == NULL:
            raise MemoryError()
        for l in range(net.L):
            layer = &net.layers[l]
            layer.n_in, layer.n_out = sizes[l], sizes[l + 1]
            layer.f = <activation_t><int>kernels.ACTIVATIONS[activations[l]]
            layer.W_at = at
            layer.b_at = at + layer.n_in * layer.n_out * net.k.itemsize
            at = layer.b_at + layer.n_out * net.k.itemsize
            net.widest = max(net.widest, layer.n_out)
        net.size = at // net.k.itemsize
        net.loss = <loss_t><int>kernels.LOSSES[loss]
        net.loss_takes_z = net.loss in (CROSS_ENTROPY, BINARY_CROSS_ENTROPY)
        net.parameters = address(parameters, PyBUF_WRITABLE)
        self.kernels, self.kept_parameters = kernels, parameters
        self.dtype = parameters.dtype
        self.kind = ord(self.dtype.char)
        net.largest = np.finfo(self.dtype).max
        self.n_threads, self.work = 1, WORK

    def __dealloc__(self):
        PyMem_Free(self.net.layers)
        PyMem_Free(self.net.a)

    # --- who is inside ----------------------------------------------------------------

    cdef int enter(self) except -1:
        cdef unsigned long me = PyThread_get_thread_ident()
        if self.depth > 0 and self.owner != me:
            raise RuntimeError(
                "this network is in use by another thread; "
                "give each thread a network of its own"
            )
        self.owner = me
        self.depth += 1
        return 0

    def __enter__(self):
        self.enter()
        return self

    def __exit__(self, *exception):
        self.depth -= 1

    # --- buffers ----------------------------------------------------------------------

    def use_optimizer(self, optimizer, state):
        """Update by these settings; each row of `state` is laid out like parameters."""
        self.net.optimizer.rule = <rule_t><int>self.kernels.RULES[optimizer.rule]
        self.net.optimizer.lr = optimizer.lr
        self.net.optimizer.momentum = optimizer.momentum
        self.net.optimizer.weight_decay = optimizer.weight_decay
        self.net.optimizer.state_apart = self.net.size
        self.net.state = NULL if state is None else address(state, PyBUF_WRITABLE)
        self.kept_state = state

    def use_threads(self, int n_threads, Py_ssize_t work=WORK):
        """Up to so many, one for every so many multiply-adds of a step.

        The workspace is to be asked for anew.
        """
        self.n_threads, self.work = n_threads, work
        self.workspace, self.capacity, self.gathers = None, 0, False

    def drop_workspace(self, Py_ssize_t n, bint gathers):
        """Forget the workspace; returns the size of one for mini-batches of n rows.

        Only rows in an order of their own need to be gathered.
        """
        self.workspace, self.capacity, self.gathers = None, 0, False
        return self.carve(NULL, n, gathers)

    def use_workspace(self, workspace, Py_ssize_t n, bint gathers):
        """Work in this 64-byte aligned array, of the size `drop_workspace` told."""
        self.carve(address(workspace, PyBUF_WRITABLE), n, gathers)
        self.workspace = workspace
        self.capacity, self.gathers = n, gathers

    cdef Py_ssize_t carve(self, char *start, Py_ssize_t n, bint gathers) noexcept:
        """Point every part into the workspace at `start`; returns its size."""
        net = &self.net
        cdef Py_ssize_t l, size = net.k.itemsize, at = 0, room
        for l in range(net.L):
            net.a[l + 1] = part(start, &at, n * net.layers[l].n_out * size)
        net.output = <char *>net.a[net.L]
        net.delta = part(start, &at, n * net.widest * size)
        net.other_delta = part(start, &at, n * net.widest * size)
        net.E = <double *>part(start, &at, n * sizeof(double))
        if gathers:
            net.gathered = part(start, &at, n * net.layers[0].n_in * size)
        net.room_size = 0
        for l in range(net.L):
            room = net.k.room(NULL, n, net.layers[l].n_in, net.layers[l].n_out)
            net.room_size = max(net.room_size, room)
        net.rooms = part(start, &at, self.workers(TRAIN, n, True) * net.room_size)
        return at

    cdef int workers(self, what_t what, Py_ssize_t rows, bint many) noexcept:
        """How many workers mini-batches of so many rows are worth, one or many."""
        cdef Py_ssize_t products = 1 if what in (PREDICT, EVALUATE) else 3
        cdef Py_ssize_t least = self.work if many else WAKING * self.work
        cdef Py_ssize_t work = products * rows * self.net.size
        return <int>max(1, min(self.n_threads, work // least))

    # --- what Network calls -----------------------------------------------------------

    cdef task_t new_task(self, what_t what, X, y=None, weight=None) except *:
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net, task.what, task.deadline = &self.net, what, INFINITY
        task.data.n = task.rows = X.shape[0]
        task.data.X = address(X)
        if y is not None and y.ndim == 2:
            task.data.targets.y = address(y)
        elif y is not None:
            task.data.targets.labels = <const int64_t *>address(y)
        if weight is not None:
            task.data.targets.weight = <const double *>address(weight)
        return task

    cdef int run_task(self, job_t job, task_t *task) except -1:
        """Have the job done by as many workers as it is worth."""
        net = &self.net
        cdef int workers = self.workers(task.what, min(task.rows, task.data.n),
                                        task.data.n - task.first > task.rows)
        self.enter()
        if (task.data.n - task.first) * net.size < QUICK:  # sooner done than let go
            run_job(workers, net.rooms, net.room_size, job, task)
        else:
            with nogil:
                run_job(workers, net.rooms, net.room_size, job, task)
        self.depth -= 1
        return 0

    def predict(
        self, X, out, Py_ssize_t first, Py_ssize_t rows_at_a_time, double seconds,
        bint looks,
    ):
        """out = a[L] for a[0] = X from row `first` on, for about so many seconds.

        Returns the row to go on from, and false if it `looks` and came upon an X that
        is not finite.
        """
        cdef task_t task = self.new_task(PREDICT, X)
        task.looks = looks
        task.out = address(out, PyBUF_WRITABLE)
        task.first, task.rows = first, rows_at_a_time
        task.deadline = seconds_now() + seconds
        self.run_task(walk, &task)
        return task.first, bool(task.finite)

    def evaluate(
        self, X, y, weight, Py_ssize_t first, double total, double weights,
        Py_ssize_t rows_at_a_time, double seconds,
    ):
        """Add w E and w of the rows from `first` on, for about so many seconds.

        Returns the row to go on from and both sums.
        """
        cdef task_t task = self.new_task(EVALUATE, X, y, weight)
        task.first, task.total, task.weights = first, total, weights
        task.rows = rows_at_a_time
        task.deadline = seconds_now() + seconds
        self.run_task(walk, &task)
        return task.first, task.total, task.weights

    def train_step(self, X, y, weight):
        """One fused step; returns the loss before it, or NaN with nothing changed."""
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        self.run_task(walk, &task)
        return mean_loss(&task)

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
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        if order is not None:
            task.data.targets.order = <const int64_t *>address(order)
        task.first, task.total, task.weights = first, total, weights
        task.rows = batch_size
        task.deadline = seconds_now() + seconds
        self.run_task(walk, &task)
        return task.first, task.total, task.weights, bool(task.finite)

    def gradients(self, X, y, weight, gradient, dX):
        """The loss; its gradient by the parameters, and by X unless dX is None."""
        cdef task_t task = self.new_task(DIFFERENTIATE, X, y, weight)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE) if dX is not None else NULL
        self.run_task(walk, &task)
        return mean_loss(&task)

    def forward(self, activations):
        """a[1] .. a[L] from a[0], every one of them in its own array."""
        cdef task_t task = self.new_task(PREDICT, activations[0])
        task.a = self.tape(activations)
        try:
            self.run_task(tape_forward, &task)
        finally:
            PyMem_Free(task.a)

    def backward(self, activations, d_output, gradient, dX):
        """The gradient by the parameters and by X, from dE/da[L] and all of a."""
        cdef task_t task = self.new_task(DIFFERENTIATE, activations[0])
        cdef const char *d_output_at = address(d_output)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE)
        task.a = self.tape(activations)
        try:
            memcpy(self.net.delta, d_output_at, d_output.nbytes)
            self.run_task(tape_backward, &task)
        finally:
            PyMem_Free(task.a)

    cdef const char **tape(self, activations) except NULL:
        """Where each activation lies; to be freed."""
        cdef Py_ssize_t l
        cdef const char **a = <const char **>PyMem_Calloc(self.net.L + 1,
                                                          sizeof(char *))
        if a == NULL:
            raise MemoryError()
        try:
            for l in range(self.net.L + 1):
                a[l] = address(activations[l])
        except BaseException:
            PyMem_Free(a)
            raise
        return a

    def apply(self, gradient):
        """One optimizer step on all parameters from a stored gradient."""
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net = &self.net
        task.gradient = address(gradient)
        task.data.n = task.rows = 1
        self.run_task(descend, &task)

    # --- the short way for a mini-batch that needs no conversion ----------------------

    def accept(self, bint labels, bint unit_targets):
        """What `step_at_once` takes: labels for y, or targets in 0 .. 1 only."""
        self.labels_allowed, self.unit_targets = labels, unit_targets

    cdef bint usable_rows(self, const plain_t *X) noexcept:
        """Whether X is rows of finite numbers for which there is a workspace."""
        net = &self.net
        return (
            X.kind == self.kind
            and X.width == net.layers[0].n_in
            and 1 <= X.n <= self.capacity
            and self.outside(X)
            and net.k.all_between(X.at, X.n * X.width, -net.largest, net.largest)
        )

    cdef bint outside(self, const plain_t *it) noexcept:
        """Whether it shares no memory with the parameters, which a step changes."""
        cdef Py_ssize_t size = it.n * it.width * (
            sizeof(int64_t) if it.kind == LABEL else self.net.k.itemsize
        )
        cdef char *end = self.net.parameters + self.net.size * self.net.k.itemsize
        return it.at + size <= self.net.parameters or end <= it.at

    cdef bint usable_targets(self, const plain_t *y, Py_ssize_t n) noexcept:
        """Whether y is labels, or targets, of n samples that the loss can take."""
        cdef Py_ssize_t i, n_out = self.net.layers[self.net.L - 1].n_out
        cdef bint fits = True
        if y.n != n or not self.outside(y):
            return False
        if y.kind == LABEL:
            if not self.labels_allowed or y.ndim != 1:
                return False
            for i in range(n):
                fits &= <uint64_t>(<const int64_t *>y.at)[i] < <uint64_t>n_out
            return fits
        if y.kind != self.kind or y.width != n_out:
            return False
        if y.ndim == 1 and self.labels_allowed:
            return False
        if self.unit_targets:
            return self.net.k.all_between(y.at, n * n_out, 0, 1)
        cdef double largest = self.net.largest
        return self.net.k.all_between(y.at, n * n_out, -largest, largest)

    def step_at_once(self, X, y):
        """`train_step` on arrays that can be used where they lie, else None.

        None says only that the long way must be taken: it converts, or raises.
        """
        cdef task_t task
        cdef plain_t rows = plain(X)
        if rows.ndim != 2 or not self.usable_rows(&rows):
            return None
        cdef plain_t targets = plain(y)
        if targets.ndim == 0 or not self.usable_targets(&targets, rows.n):
            return None
        memset(&task, 0, sizeof(task_t))
        task.net, task.what, task.deadline = &self.net, TRAIN, INFINITY
        task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
        if targets.kind == LABEL:
            task.data.targets.labels = <const int64_t *>targets.at
        else:
            task.data.targets.y = targets.at
        self.run_task(walk, &task)
        return mean_loss(&task)

    def predict_at_once(self, X):
        """The outputs for an array that can be used where it lies, else None."""
        cdef task_t task
        cdef plain_t rows = plain(X)
        cdef Py_ssize_t n_out = self.net.layers[self.net.L - 1].n_out
        cdef bint single = rows.ndim == 1
        if single:
            rows.n, rows.width = 1, rows.n
        if rows.ndim == 0 or rows.n > AT_ONCE or not self.usable_rows(&rows):
            return None
        out = np.empty(n_out if single else rows.n * n_out, self.dtype)
        memset(&task, 0, sizeof(task_t))
        task.net, task.what, task.deadline = &self.net, PREDICT, INFINITY
        task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
        task.out = address(out, PyBUF_WRITABLE)
        self.run_task(walk, &task)
        return out if single else out.reshape(rows.n, n_out)


cdef double mean_loss(const task_t *task) noexcept:
    """sum(w E) / sum(w); NaN if a loss was not finite."""
    if not task.finite:
        return NAN
    return task.total / task.weights if task.weights > 0 else 0.0


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
