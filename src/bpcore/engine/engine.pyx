"""The engine: one mini-batch forward, backward and updated, without the GIL.

An ``Engine`` is the order in which kernels are called, over raw pointers into
``Network``'s parameters and optimizer state and into scratch memory of its own.  It
checks nothing but that it is not entered from two threads at once: arrays come
C-contiguous, of the network's dtype and of matching shapes (labels int64, weights
float64).  Only ``step_at_once`` and ``predict_at_once`` check what they are given, to
spare a small net the way through Python.  ``reference.Engine`` is its twin in NumPy.

The buffers, with n the capacity in rows::

    parameters, state, blocks      W[0] b[0] gain[0] W[1] b[1] ... one after the other
                                   (gain only of normalised layers)
    workspace                      for each layer a, and where it is needed f(z), z,
                                   hat, inverse and moments; two deltas (n, widest),
                                   the losses E (n,), gathered rows of X, partial sums
                                   of a norm, and a room per worker
    tape                           what is kept of one mini-batch, in its own array

Every method that uses the workspace or the blocks first makes them large enough, once
it has entered the engine.  Methods that may take long run for a slice of time without
the GIL, then handle signals, and so on: an interrupt comes between two mini-batches.

Every function that takes a worker is run by all workers of a task at once, each
doing its share of every kernel.  Between kernels all meet, so that each may read what
the others wrote.

The parts, included below, one idea each::

    net         a network, its mini-batches and its tasks, as C structs
    arrays      arrays of Python, as far as they can be used where they lie
    workspace   where everything lies in the workspace
    step        one mini-batch: forward, loss, backward, update
    stored      steps from stored gradients, and gradients that wait for a step
    tasks       what the workers of a task do: train, predict, evaluate, record
    random      the order of the rows, the keys of noise
    epochs      epochs one after the other, without Python in between
    loss        a loss that is a Python function
    direct      mini-batches that need no conversion, straight from Python
"""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyTypeObject
from cpython.pycapsule cimport PyCapsule_GetPointer
from cpython.pythread cimport PyThread_get_thread_ident
from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

import numpy as np

from bpcore import _kernels as kernels, interrupts
from bpcore.engine.memory import aligned_zeros

from bpcore._kernels cimport (
    BATCH_NORM,
    IDENTITY,
    NOT_NORMALISED,
    PLAIN,
    PLAIN_MOMENTUM,
    PLAIN_NESTEROV,
    SOFTMAX,
    SQUARES,
    activation_t,
    carry_powers,
    kernel_table,
    loss_t,
    meet,
    normalisation_t,
    optimizer_of,
    optimizer_t,
    share,
    targets_t,
    worker_t,
)


cdef extern from "csrc/random.h" nogil:
    uint64_t key_of "bpcore_key"(uint64_t key, uint64_t i)


cdef extern from "csrc/clock.h" nogil:
    double seconds_now "bpcore_seconds"()


cdef extern from "csrc/lock.h" nogil:
    ctypedef struct lock_t "bpcore_lock":
        pass
    bint enter_lock "bpcore_enter"(lock_t *lock, size_t thread)
    void leave_lock "bpcore_leave"(lock_t *lock)


cdef extern from "csrc/team.h" nogil:
    ctypedef void (*job_t "bpcore_job")(
        void *task, const worker_t *worker,
    ) noexcept nogil
    void found_team "bpcore_found_team"()
    void run_job "bpcore_run"(int count, char *rooms, Py_ssize_t room_size, job_t job,
                              void *task)


found_team()


include "net.pxi"
include "arrays.pxi"
include "workspace.pxi"
include "step.pxi"
include "stored.pxi"
include "tasks.pxi"
include "random.pxi"
include "epochs.pxi"


cdef class Engine:
    """Calls the kernels of one network in order.

    Parameters
    ----------
    design : Design, what the network is made of
    state : State, what is trained; its parameters have the dtype of all its arrays

    The build of the kernels is the one that is in use when the engine is made.
    """

    cdef net_t net
    cdef object folded, workspace, custom_loss, failure
    cdef list blocks
    cdef object dtype, layout
    cdef char kind
    cdef bint direct, at_once, labels_allowed, in_custom_loss
    cdef double least_target, most_target
    cdef readonly object state
    cdef readonly bint scheduled  # whether the learning rate of its optimizer changes
    cdef readonly Py_ssize_t capacity
    cdef readonly bint gathers
    cdef lock_t lock  # owner thread and depth: the owner may enter again

    #: Whether it can go through several epochs at a time.
    runs_epochs = True

    @staticmethod
    def shuffle(order, words):
        """`order` in place in a random order, from one random word a place."""
        shuffle(order, words)

    def __cinit__(self, design, state):
        net, loss = &self.net, design.loss
        self.dtype, self.layout = state.parameters.dtype, design.layout
        describe(net, self.dtype, design)
        if design.custom_loss:
            net.custom_loss, self.custom_loss = <void *>self, loss
        self.kind = ord(self.dtype.char)
        if net.batch_norm:
            self.folded = aligned_zeros(net.size, self.dtype)
            net.folded = address(self.folded, PyBUF_WRITABLE)
        # Whether a mini-batch may be used where it lies, with its targets in these
        # bounds.
        self.direct = design.trains and not (
            net.batch_norm or design.custom_loss or loss.signs
        )
        self.labels_allowed = loss.labels
        self.least_target = max(loss.least, -net.largest)
        self.most_target = min(loss.most, net.largest)
        self.blocks = []
        net.n_threads, net.work = 1, WORK
        self.use(state)

    def __dealloc__(self):
        PyMem_Free(self.net.layers)
        PyMem_Free(self.net.memory)
        PyMem_Free(self.net.groups)

    # --- the lock ---------------------------------------------------------------------

    cdef int enter(self) except -1:
        """Take the lock, or raise; every method that reads or writes buffers does."""
        if not enter_lock(&self.lock, PyThread_get_thread_ident()):
            raise RuntimeError(
                "this network is in use by another thread; "
                "give each thread a network of its own"
            )
        if self.in_custom_loss:
            leave_lock(&self.lock)
            raise RuntimeError("this network is in use by the step that asks its loss")
        return 0

    cdef void leave(self) noexcept:
        leave_lock(&self.lock)

    def __enter__(self):
        self.enter()
        return self

    def __exit__(self, *exception):
        self.leave()

    # --- settings ---------------------------------------------------------------------

    def use(self, state):
        """Train this state from here on, by its optimizer and its frozen layers.

        All that can fail comes first: if it raises, nothing has changed.

        Raises
        ------
        ValueError, TypeError
            If an array has not the dtype and the size that the design gives it.
        """
        cdef Py_ssize_t i
        cdef optimizer_t *groups = NULL
        net, layout, optimizer = &self.net, self.layout, state.optimizer
        cdef double lr = state.lr
        cdef double max_norm = optimizer.max_norm or 0
        cdef double clip_norm = optimizer.clip_norm or 0
        cdef bint scheduled = optimizer.schedule is not None
        cdef char *parameters = whole("parameters", state.parameters, self.dtype,
                                      (layout.size,))
        cdef char *moments = whole("moments", state.moments, self.dtype,
                                   (layout.moments_size,))
        cdef char *counters = whole("counters", state.counters, np.dtype(np.int64),
                                    (2 + net.L,))
        cdef char *arrays = NULL
        if state.optimizer_arrays is not None:
            shape = len(optimizer.states), layout.state_stride
            arrays = whole("optimizer arrays", state.optimizer_arrays, self.dtype,
                           shape)
        elif optimizer.states:
            raise ValueError(f"optimizer arrays must be there for {optimizer}")
        with self:
            if optimizer.rule in kernels.RULES:
                groups = new_groups(net, optimizer, state.factors, layout.state_stride)
            # From here on nothing fails, and no Python code runs.
            self.at_once = self.direct and groups != NULL
            if groups != NULL:
                use_groups(net, groups)
            net.parameters, net.running, net.state = parameters, moments, arrays
            net.steps = <int64_t *>counters
            net.seen, net.layer_steps = net.steps + 1, net.steps + 2
            net.max_norm, net.clip_norm = max_norm, clip_norm
            net.lr, net.prepared_lr = lr, NAN
            for i in range(len(self.blocks)):
                clear_frozen(net, net.blocks[i])
            self.scheduled = scheduled
            self.state = state

    @property
    def accumulate(self):
        """Mini-batches of `run` that make one step; gradients that wait are forgotten
        when it is assigned.
        """
        return self.net.accumulate

    @accumulate.setter
    def accumulate(self, Py_ssize_t mini_batches):
        net = &self.net
        if mini_batches != net.accumulate:
            self.blocks = []
        net.accumulate = mini_batches
        memset(&net.sums, 0, sizeof(sums_t))

    @property
    def lr(self):
        """The learning rate of the next steps."""
        return self.net.lr

    @lr.setter
    def lr(self, double lr):
        self.net.lr = lr

    @property
    def n_threads(self):
        """The most threads that a step or a prediction uses."""
        return self.net.n_threads

    def use_threads(self, int n_threads, Py_ssize_t work=WORK):
        """Up to so many, one for every so many multiply-adds of a step."""
        self.net.n_threads, self.net.work = n_threads, work
        self.drop_workspace()  # it has room for each

    # --- scratch memory ---------------------------------------------------------------

    cdef void drop_workspace(self) noexcept:
        self.capacity, self.gathers = 0, False
        carve(&self.net, NULL, 0, True)
        self.workspace = None

    cdef inline int reserve(self, Py_ssize_t n, bint gathers=False) except -1:
        """A workspace for mini-batches of n rows, kept until a larger one is needed.

        `gathers` asks for room to copy rows of X together.
        """
        gathers |= self.net.input_noise > 0
        if n > self.capacity or (gathers and not self.gathers):
            self.grow_workspace(max(n, self.capacity), gathers or self.gathers)
        return 0

    cdef int grow_workspace(self, Py_ssize_t n, bint gathers) except -1:
        """Another workspace; none, if there is no memory for it.

        The old one goes first: both together may be too large.
        """
        self.drop_workspace()
        workspace = aligned_zeros(carve(&self.net, NULL, n, gathers), np.uint8)
        carve(&self.net, address(workspace, PyBUF_WRITABLE), n, gathers)
        self.workspace, self.capacity, self.gathers = workspace, n, gathers
        return 0

    cdef int reserve_blocks(self, Py_ssize_t batches) except -1:
        """Memory for the gradients that are stored in so many more mini-batches."""
        net = &self.net
        cdef Py_ssize_t count = 0, last = net.accumulate
        if net.accumulate > 1:
            if batches < last - net.sums.waiting:
                last = net.sums.waiting + batches
            count = bit_length(last)
        if net.clip_norm > 0:
            count = max(count, ones(net.sums.waiting) + 1)
        while len(self.blocks) < count:
            block = aligned_zeros(net.size, self.dtype)
            self.blocks.append(block)
            net.blocks[len(self.blocks) - 1] = address(block, PyBUF_WRITABLE)
        return 0

    def tape_size(self, Py_ssize_t n, bint everything=False):
        """Bytes of a tape's memory, and for each layer where what begins in it."""
        cdef Py_ssize_t l, size
        cdef size_t start = ALIGNMENT  # any place but NULL
        cdef memory_t *tape = <memory_t *>PyMem_Calloc(self.net.L, sizeof(memory_t))
        if tape == NULL:
            raise MemoryError()
        try:
            size = carve_memory(&self.net, tape, <char *>start, n, everything)
            return size, [places(&tape[l], start) for l in range(self.net.L)]
        finally:
            PyMem_Free(tape)

    cdef memory_t *new_tape(
        self, memory, Py_ssize_t n, bint everything=False,
    ) except NULL:
        """Where the parts of a tape lie, and else of the workspace; to be freed."""
        self.reserve(n)
        cdef Py_ssize_t size = self.net.L * sizeof(memory_t)
        cdef char *start = address(memory, PyBUF_WRITABLE)
        cdef memory_t *tape = <memory_t *>PyMem_Malloc(size)
        if tape == NULL:
            raise MemoryError()
        memcpy(tape, self.net.memory, size)
        carve_memory(&self.net, tape, start, n, everything)
        return tape

    # --- tasks ------------------------------------------------------------------------

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
            task.data.targets.weights = weight.shape[1] if weight.ndim == 2 else 1
        return task

    cdef int run_task(self, job_t job, task_t *task) except -1:
        """Have the job done by as many workers as it is worth."""
        net = &self.net
        cdef bint many = task.data.n - task.first > task.rows
        cdef int workers = worker_count(
            net, task.what, min(task.rows, task.data.n), many
        )
        if (task.data.n - task.first) * net.size < QUICK:
            # Cheaper than releasing the GIL.
            run_job(workers, net.rooms, net.room_size, job, task)
        else:
            with nogil:
                run_job(workers, net.rooms, net.room_size, job, task)
        self.raise_failure()
        return 0

    cdef int run_slices(self, task_t *task, progress=None) except -1:
        """`walk` in slices of time to the end, or until a loss or X is not finite.

        Before each slice signals are handled, and after each ``progress(rows done)`` is
        called: both may raise, and use this engine.
        """
        net = &self.net
        cdef Py_ssize_t most = task.most
        cdef bint gathers = task.data.targets.order != NULL
        cdef double total, divisor
        while True:
            interrupts.raise_if_stopped()
            PyErr_CheckSignals()
            self.reserve(most_rows(task), gathers)
            if task.what == TRAIN:
                total, divisor = task.sums.total, task.sums.divisor
                task.sums = net.sums  # with the gradients that wait
                task.sums.total, task.sums.divisor = total, divisor
                task.sums.accumulate, task.sums.steps = net.accumulate, 0
                self.reserve_blocks((task.data.n - task.first - 1) // task.rows + 1)
            task.out_of_time = False
            task.deadline = seconds_now() + <double>interrupts.SLICE
            self.run_task(walk, task)
            if task.what == TRAIN:
                net.sums = task.sums
            if task.rates != NULL:
                task.rates += min(task.sums.steps, task.n_rates - 1)
                task.n_rates = max(task.n_rates - task.sums.steps, 1)
            task.most -= task.batches
            if progress is not None:
                progress(task.first)
            if not task.finite or task.first >= task.data.n or task.most == 0 < most:
                return 0

    cdef int raise_failure(self) except -1:
        """Raise what a loss in Python has raised."""
        if self.failure is not None:
            failure, self.failure, self.net.failed = self.failure, None, False
            raise failure
        return 0

    cdef task_t whole_task(self) except *:
        """Of all parameters, without a mini-batch."""
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net, task.what = &self.net, TRAIN
        task.data.n = task.rows = 1
        self.reserve(1)
        return task

    # --- predictions and steps --------------------------------------------------------

    def predict(self, X, out, bint checks_X):
        """out = a[L] for a[0] = X.

        False, with `out` half written, where X is checked and not finite.
        """
        cdef task_t task = self.new_task(PREDICT, X)
        task.checks_X = checks_X
        task.out = address(out, PyBUF_WRITABLE)
        task.rows = AT_ONCE
        with self:
            self.run_slices(&task)
        return bool(task.finite)

    def evaluate(self, X, y, weight):
        """The sum of w E, and that of w, which its mean is over."""
        cdef task_t task = self.new_task(EVALUATE, X, y, weight)
        task.rows = AT_ONCE
        with self:
            self.run_slices(&task)
        return task.sums.total, task.sums.divisor

    def train_step(self, X, y, weight):
        """One step; returns the loss before it, or NaN with nothing changed."""
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        with self:
            self.run_step(&task)
        return mean_loss(&task)

    cdef int run_step(self, task_t *task) except -1:
        """One step of a mini-batch; gradients that wait go on waiting."""
        task.ends = True
        task.sums.waiting = self.net.sums.waiting
        self.reserve(task.rows)
        if self.net.clip_norm > 0:
            self.reserve_blocks(0)
        return self.run_task(walk, task)

    def run(
        self, X, y, weight, order, Py_ssize_t batch_size, Py_ssize_t first,
        double total, double divisor, Py_ssize_t most, bint ends,
        const double[::1] rates, progress=None,
    ):
        """Steps from row `first` of the order on, to the end or of `most` mini-batches.

        Parameters
        ----------
        order : int64 array (n,), or None for the rows as they lie
        total, divisor : the sum of w E so far, and what its mean is over
        most : mini-batches, 0 for any number
        ends : whether gradients that wait at the last row make a step
        rates : learning rate of every step from here on, or None for `lr`
        progress : called with the rows done after every slice of time, if not None

        Returns
        -------
        first, total, divisor, finite
            The row to go on from, both sums, and whether every loss was finite; if not,
            `first` begins the mini-batch whose loss was not, which changed nothing.
            With batch norm a last row alone belongs to the mini-batch before it.
        """
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        if order is not None:
            task.data.targets.order = <const int64_t *>address(order)
        if rates is not None and rates.shape[0] > 0:
            task.rates, task.n_rates = &rates[0], rates.shape[0]
        task.first, task.sums.total, task.sums.divisor = first, total, divisor
        task.rows, task.most, task.ends = batch_size, most, ends
        with self:
            self.run_slices(&task, progress)
        return task.first, task.sums.total, task.sums.divisor, bool(task.finite)

    def run_epochs(
        self, X, y, weight, bits, Py_ssize_t batch_size, double[::1] losses,
        double[::1] seconds, const double[::1] rates, arrays,
    ):
        """Epoch after epoch, with nothing done in between, for about a slice of time.

        Parameters
        ----------
        bits : NumPy bit generator that shuffles the rows, used by nothing else
            meanwhile, or None for the rows as they lie
        losses, seconds : array (epochs,), overwritten by each epoch's
        rates : learning rate of every step from here on, or None for `lr`
        arrays : what training changes

        Returns
        -------
        epochs, batch
            How many epochs were finished, at least one; and the mini-batch, from 1 on,
            at which the next one ended in a loss that was not finite, -1, -2, ... if
            only the first, second, ... of the arrays was not, else 0.  Arrays and
            counters are then as they were before that epoch.
        """
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        cdef epochs_t epochs
        cdef Py_ssize_t i
        memset(&epochs, 0, sizeof(epochs_t))
        epochs.count, epochs.pairs = losses.shape[0], len(arrays)
        epochs.losses, epochs.seconds = &losses[0], &seconds[0]
        for i in range(epochs.pairs):
            epochs.kept[i].at = address(arrays[i], PyBUF_WRITABLE)
            epochs.kept[i].size = arrays[i].nbytes
        if bits is not None:
            epochs.random = <bitgen_t *>PyCapsule_GetPointer(
                bits.capsule, "BitGenerator"
            )
        if rates is not None:
            task.rates, task.n_rates = &rates[0], rates.shape[0]
        task.rows, task.ends = batch_size, True
        cdef char *scratch = <char *>PyMem_Malloc(
            carve_epochs(NULL, &epochs, task.data.n)
        )
        if scratch == NULL:
            raise MemoryError()
        carve_epochs(scratch, &epochs, task.data.n)
        task.data.targets.order = epochs.order
        try:
            with self:
                epochs.deadline = seconds_now() + <double>interrupts.SLICE
                self.reserve(most_rows(&task), bits is not None)
                self.reserve_blocks((task.data.n - 1) // batch_size + 1)
                epochs.workers = worker_count(
                    &self.net, TRAIN, min(batch_size, task.data.n),
                    task.data.n > batch_size,
                )
                with nogil:
                    walk_epochs(&task, &epochs)
                self.raise_failure()
        finally:
            PyMem_Free(scratch)
        return epochs.done, epochs.batch

    def flush(self):
        """A step from the gradients that wait, if any."""
        cdef task_t task
        with self:
            if self.net.sums.present:
                task = self.whole_task()
                task.sums = self.net.sums
                self.run_task(flush_waiting, &task)
                count_steps(&self.net, 1)
            memset(&self.net.sums, 0, sizeof(sums_t))

    def apply(self, gradient, moments, Py_ssize_t n):
        """One optimizer step on all parameters from a stored gradient.

        It is scaled in place where its norm is to be clipped.  `moments` are those of
        the n rows it came from, or None.
        """
        cdef task_t task
        cdef char *gradient_at = address(gradient)
        with self:
            task = self.whole_task()
            task.gradient = gradient_at
            self.run_task(descend, &task)
            count_steps(&self.net, 1)
            self.net.seen[0] += 1
            if moments is not None:
                follow_stored(&self.net, address(moments), n)

    # --- derivatives ------------------------------------------------------------------

    def gradients(self, X, y, weight, gradient, dX, moments):
        """The loss; its gradient by the parameters, and by X unless dX is None.

        The moments of batch norm go into `moments` unless it is None.
        """
        cdef task_t task = self.new_task(DIFFERENTIATE, X, y, weight)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE) if dX is not None else NULL
        self.run_once(&task, moments)
        return mean_loss(&task)

    def training_loss(self, X, y, weight, moments):
        """The loss that `gradients` returns, without the derivatives.

        The moments of batch norm go into `moments` unless it is None.
        """
        cdef task_t task = self.new_task(TRAINING_LOSS, X, y, weight)
        self.run_once(&task, moments)
        return mean_loss(&task)

    cdef int run_once(self, task_t *task, moments) except -1:
        """`walk` through a single mini-batch, which leaves its moments."""
        with self:
            self.reserve(task.rows)
            self.run_task(walk, task)
            copy_moments(&self.net, self.net.memory, moments)
        return 0

    def forward(self, X, memory):
        """The forward pass, kept in this memory; X may get noise."""
        cdef task_t task = self.new_task(PREDICT, X)
        address(X, PyBUF_WRITABLE)  # raises if it is not
        with self:
            task.key = key_of(self.net.seed, self.net.seen[0])
            task.tape = self.new_tape(memory, X.shape[0])
            try:
                self.run_task(tape_forward, &task)
            finally:
                PyMem_Free(task.tape)

    def backward(self, X, memory, int64_t seen, d_output, gradient, dX, moments):
        """The gradient by the parameters and by X, from dE/da[L] and a tape.

        `seen` is the number of mini-batches before that of the tape.
        """
        cdef task_t task = self.new_task(DIFFERENTIATE, X)
        cdef const char *d_output_at = address(d_output)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE)
        task.key = key_of(self.net.seed, seen)
        with self:
            task.tape = self.new_tape(memory, X.shape[0])
            try:
                memcpy(task.tape[self.net.L - 1].delta, d_output_at, d_output.nbytes)
                self.run_task(tape_backward, &task)
                copy_moments(&self.net, task.tape, moments)
            finally:
                PyMem_Free(task.tape)

    def record(
        self, X, y, weight, gradient, dX, moments, memory, losses, d_output,
    ):
        """`gradients`, with both passes kept in a tape of that size.

        X may get noise; w E of each sample goes into `losses`, float64 (n,), and the
        derivative by what the loss takes, a[L] or z[L-1], into `d_output` (n, n_L).
        Returns the loss, NaN if it is not finite.
        """
        cdef task_t task = self.new_task(DIFFERENTIATE, X, y, weight)
        cdef Py_ssize_t n = task.data.n
        cdef char *losses_at = address(losses, PyBUF_WRITABLE)
        address(X, PyBUF_WRITABLE)  # raises if it is not
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE)
        task.out = address(d_output, PyBUF_WRITABLE)
        with self:
            task.key = key_of(self.net.seed, self.net.seen[0])
            task.tape = self.new_tape(memory, n, True)
            try:
                self.run_task(record, &task)
                memcpy(losses_at, self.net.E, n * sizeof(double))
                copy_moments(&self.net, task.tape, moments)
            finally:
                PyMem_Free(task.tape)
        return mean_loss(&task)

    def losses(self, a, y, weight):
        """w E of rows whose outputs and targets lie in arrays, from the loss function.

        The function is called once, for a loss need not be a mean over its rows.
        """
        with self:
            self.in_custom_loss = True
            try:
                return self.custom_loss.weighted(a, y, weight, 1.0)[0]
            finally:
                self.in_custom_loss = False

    # --- arrays that need no conversion -----------------------------------------------

    def step_at_once(self, X, y):
        """`train_step` on arrays that can be used where they lie, else None.

        None says only that the long way must be taken: it converts, or raises.
        """
        self.enter()
        try:
            return step_if_plain(self, X, y)
        finally:
            self.leave()

    def learn_one_at_once(self, x, y):
        """`step_at_once` on a single row, with its label, its target or its targets."""
        self.enter()
        try:
            return learn_if_plain(self, x, y)
        finally:
            self.leave()

    def predict_at_once(self, X):
        """The outputs for an array that can be used where it lies, else None."""
        self.enter()
        try:
            return predict_if_plain(self, X)
        finally:
            self.leave()

    def predict_one_at_once(self, x, out):
        """The outputs of a single row in `out`, of their size, else None."""
        self.enter()
        try:
            return predict_one_if_plain(self, x, out)
        finally:
            self.leave()


include "loss.pxi"
include "direct.pxi"
