"""The engine: one mini-batch forward, backward and updated, without the GIL.

An ``Engine`` calls the kernels in order, over raw pointers into the arrays of a State
and into scratch memory of its own.  Its only check is that no two threads use it at
once: arrays must be C-contiguous, of the network's dtype and of matching shapes (labels
int64, weights float64).  The methods named ``..._at_once`` check their arguments in C,
since for a small network the checks in Python take longer than the step.
``reference.Engine`` is its twin in NumPy.

The buffers, with n the capacity in rows::

    parameters, optimizer arrays, blocks
                                   W[0] b[0] gain[0] W[1] b[1] ... one after the other
                                   (gain only of normalised layers), then the scale of
                                   the inputs; blocks are sums of accumulated gradients
    workspace                      for each layer a, and where it is needed f(z), z,
                                   hat, inverse and moments; two deltas (n, widest),
                                   the losses E (n,), gathered rows of X, X * scale,
                                   partial sums of a norm, and scratch memory for each
                                   worker
    tape                           the same for one mini-batch, in an array of its own

Every method that uses the workspace or the blocks takes the lock, then makes them large
enough.  Methods that may take long work for a slice of time without the GIL, then
handle signals, and so on: an interrupt comes between two mini-batches.

Every function with an argument ``worker`` is run by all workers of a task at once, each
on its part of every kernel's work.  Between two kernels there is a barrier, so that
each may read what the others wrote.

The parts, included below, one idea each::

    cpu         instruction sets of the processor, and its caches
    net         a network, its mini-batches and its tasks, as C structs
    arrays      pointers into NumPy arrays that need no conversion
    workspace   the places of all arrays in the workspace
    step        one mini-batch: forward, loss, backward, update
    stored      steps from stored gradients, and accumulated gradients
    tasks       the work of each worker: train, predict, evaluate, record
    random      the order of the rows, the keys of noise
    epochs      epochs one after the other, without Python in between
    loss        a loss that is a Python function
    direct      steps and predictions of arrays that need no conversion
    zeros       whether rows of W whose input is 0 may be skipped
    packed      packed copies of the weights for predictions
    parts       steps that several processes make together
"""

cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_FillInfo,
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
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from types import SimpleNamespace

import numpy as np

from bpcore import _kernels as kernels, interrupts
from bpcore.engine.memory import aligned_zeros
from bpcore.errors import InUseError

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
    barrier_wait,
    carry_powers,
    kernel_table,
    loss_t,
    normalisation_t,
    optimizer_of,
    optimizer_t,
    targets_t,
    worker_range,
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
    void init_locks "bpcore_init_locks"()


cdef extern from "csrc/team.h" nogil:
    ctypedef void (*job_t "bpcore_job")(
        void *task, const worker_t *worker,
    ) noexcept nogil
    void init_team "bpcore_init_team"()
    void run_job "bpcore_run"(int count, char *rooms, Py_ssize_t room_size, job_t job,
                              void *task)


init_team()
init_locks()


include "cpu.pxi"
include "net.pxi"
include "arrays.pxi"
include "workspace.pxi"
include "step.pxi"
include "stored.pxi"
include "tasks.pxi"
include "random.pxi"
include "epochs.pxi"
include "zeros.pxi"
include "packed.pxi"
include "parts.pxi"


cdef class Engine:
    """Calls the kernels of one network in order.

    Parameters
    ----------
    design : Design
    state : State, which is trained; its parameters have the dtype of all its arrays

    The build of the kernels is the one that is in use when the engine is made.
    """

    cdef net_t net
    cdef object folded, packed, workspace, custom_loss, failure, report
    cdef list blocks
    cdef object dtype, layout
    cdef char kind
    cdef bint direct, at_once, makes_steps, labels_allowed, in_custom_loss
    cdef double steady_lr  # without a schedule
    cdef double least_target, most_target
    cdef object holder   # of the state: other threads may read it without the lock
    cdef readonly bint scheduled  # whether the learning rate follows a schedule
    cdef readonly Py_ssize_t capacity
    cdef readonly bint gathers
    cdef _Loans loans
    cdef bint shared  # whether the parameters are lent for ever
    cdef lock_t lock  # owner thread and depth: the owner may enter again

    #: Whether one call can run several epochs.
    runs_epochs = True

    @staticmethod
    def shuffle(order, words):
        """Shuffle `order` in place, by one random word for each element."""
        shuffle(order, words)

    def __cinit__(self, design, state):
        net, loss = &self.net, design.loss
        self.dtype, self.layout = state.parameters.dtype, design.layout
        describe(net, self.dtype, design)
        self.loans = _Loans()
        net.bounds.loans = &self.loans.counts
        if design.custom_loss:
            net.custom_loss, self.custom_loss = <void *>self, loss
        net.bounds.pays = skipping_pays(net)
        plan_packed(net)
        self.kind = ord(self.dtype.char)
        if net.batch_norm:
            self.folded = aligned_zeros(net.size, self.dtype)
            net.folded = address(self.folded, PyBUF_WRITABLE)
        # Whether mini-batches can be checked in C, and the bounds of their targets.
        self.direct = design.trains and not (
            net.batch_norm or design.custom_loss or loss.signs
        )
        self.labels_allowed = loss.labels
        self.least_target = max(loss.least, -net.largest)
        self.most_target = min(loss.most, net.largest)
        self.blocks, self.holder = [], SimpleNamespace(state=None)
        net.n_threads, net.work = 1, WORK
        self.use(state)

    def __dealloc__(self):
        PyMem_Free(self.net.layers)
        PyMem_Free(self.net.memory)
        PyMem_Free(self.net.groups)

    # --- the lock ---------------------------------------------------------------------

    cdef int enter(self) except -1:
        """Take the lock, or raise; every method that uses the buffers calls it."""
        if not enter_lock(&self.lock, PyThread_get_thread_ident()):
            raise InUseError(
                "this network is in use by another thread; "
                "give each thread a network of its own"
            )
        if self.in_custom_loss:
            leave_lock(&self.lock)
            raise RuntimeError("this network is in use by the step that calls its loss")
        return 0

    cdef void leave(self) noexcept:
        leave_lock(&self.lock)

    def __enter__(self):
        self.enter()
        return self

    def __exit__(self, kind, error, traceback):  # without a tuple: it needs no memory
        self.leave()

    # --- settings ---------------------------------------------------------------------

    def use(self, state, values=None):
        """Replace the state, with its optimizer, factors and frozen layers.

        Everything that can fail comes first: if it raises, nothing has changed.

        Parameters
        ----------
        state : State
        values : State, optional
            Its parameters and moments are copied into those of `state`.

        Raises
        ------
        ValueError, TypeError
            If an array does not have the dtype and the shape of the design.
        """
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
        cdef Py_ssize_t first, end, size = self.net.k.itemsize
        first, end = state.part or (0, layout.size)
        if not 0 <= first <= end <= layout.size:
            raise ValueError(f"part must lie in the parameters; got {state.part}")
        cdef Py_ssize_t stride = layout.stride(end - first)
        cdef Py_ssize_t moments_size = layout.moments_size
        cdef Py_ssize_t state_size = len(optimizer.states) * stride
        if state.optimizer_arrays is not None:
            shape = len(optimizer.states), stride
            arrays = whole("optimizer arrays", state.optimizer_arrays, self.dtype,
                           shape) - first * size
        elif optimizer.states:
            raise ValueError(f"optimizer arrays must be there for {optimizer}")
        cdef char *new_parameters = parameters
        cdef char *new_moments = moments
        if values is not None:
            new_parameters = whole("parameters", values.parameters, self.dtype,
                                   (layout.size,), PyBUF_SIMPLE)
            new_moments = whole("moments", values.moments, self.dtype,
                                (layout.moments_size,), PyBUF_SIMPLE)
        cdef bytes frozen = bytes(state.fixed)
        if len(frozen) != net.L:
            raise ValueError(f"every layer must have factors; got {state.lr_factors}")
        with self:
            if optimizer.rule in kernels.RULES:
                groups = new_groups(net, optimizer, state.lr_factors, stride)
            # From here on nothing can fail, and no Python code runs.
            forget(net)
            memmove(parameters, new_parameters, net.size * size)
            memmove(moments, new_moments, moments_size * size)
            net.part_at, net.part_end = first * size, end * size
            net.whole = state.part is None
            self.makes_steps = groups != NULL and net.whole
            self.at_once = self.direct and self.makes_steps
            use_groups(net, groups, frozen)
            net.parameters, net.running, net.state = parameters, moments, arrays
            net.state_size = state_size
            net.steps = <int64_t *>counters
            net.seen, net.layer_steps = net.steps + 1, net.steps + 2
            net.max_norm, net.clip_norm = max_norm, clip_norm
            net.lr, net.prepared_lr = lr, NAN
            self.steady_lr, self.scheduled = lr, scheduled
            self.holder.state = state

    @property
    def state(self):
        """The State that is trained."""
        return self.holder.state

    cdef int require_steps(self) except -1:
        """Raise if the optimizer cannot make a step from a mini-batch."""
        if not self.net.whole:
            raise RuntimeError(
                "this network trains on several processes, which divide the state of "
                "its optimizer: other steps can be made after that fit only"
            )
        if not self.makes_steps:
            raise ValueError(
                f"{type(self.state.optimizer).__name__} trains by fit only, from all "
                "of the data"
            )
        return 0

    @property
    def accumulate(self):
        """Mini-batches that make one step of `run`; assigning it drops gradients that
        wait for a step.
        """
        return self.net.accumulate

    @accumulate.setter
    def accumulate(self, Py_ssize_t mini_batches):
        net = &self.net
        with self:
            if mini_batches != net.accumulate:
                self.blocks = []
            net.accumulate = mini_batches
            memset(&net.sums, 0, sizeof(sums_t))

    def use_ridge(
        self, double alpha, double gradient_factor=1, double loss_factor=1,
    ):
        """Train by scikit-learn's objective, see ridge_t (net.pxi).

        It replaces the optimizer's weight decay.  The sums of `run` are those of the
        losses and of the rows.
        """
        with self:
            self.net.ridge.used, self.net.ridge.alpha = True, alpha
            self.net.ridge.gradient_factor = gradient_factor
            self.net.ridge.loss_factor = loss_factor

    @property
    def lr(self):
        """The learning rate of the next steps."""
        return self.net.lr

    @lr.setter
    def lr(self, double lr):
        self.enter()
        self.net.lr = lr
        self.leave()

    cdef inline int set_lr(self) except -1:
        """Set the learning rate to that of the next step."""
        if not self.scheduled:
            self.net.lr = self.steady_lr
            return 0
        state = self.state
        lr = state.lr  # calls the schedule, which may replace the state
        if self.state is state:
            self.net.lr = lr
        return 0

    @property
    def n_threads(self):
        """The most threads that a step or a prediction uses."""
        return self.net.n_threads

    def use_threads(self, int n_threads, Py_ssize_t work=WORK):
        """At most `n_threads`, and one for every `work` multiply-adds of a step."""
        with self:
            self.net.n_threads, self.net.work = n_threads, work
            self.drop_workspace()  # its size depends on the number of threads

    # --- writable parameters ----------------------------------------------------------

    def lend(self):
        """The parameters as a flat array, into which the caller may write.

        While it or a view of it lives, no rows of W are skipped (zeros.pxi).
        """
        memory = self.state.parameters
        return np.frombuffer(_Loan(self.loans, memory), self.dtype)

    def share(self):
        """Lend the parameters for ever: the caller holds the state itself."""
        if not self.shared:
            self.shared = True
            lend(&self.loans.counts)

    def parameters_written(self):
        """Note that the library has written into the state's parameters."""
        forget(&self.net)

    # --- scratch memory ---------------------------------------------------------------

    cdef void drop_workspace(self) noexcept:
        self.capacity, self.gathers = 0, False
        carve(&self.net, NULL, 0, True)
        self.workspace = None

    cdef inline int reserve(self, Py_ssize_t n, bint gathers=False) except -1:
        """Make the workspace large enough for mini-batches of n rows.

        With `gathers` it has memory for copies of the rows of X, in another order.
        """
        gathers |= self.net.input_noise > 0
        if n > self.capacity or (gathers and not self.gathers):
            self.grow_workspace(max(n, self.capacity), gathers or self.gathers)
        return 0

    cdef int grow_workspace(self, Py_ssize_t n, bint gathers) except -1:
        """Allocate a larger workspace; after a MemoryError there is none.

        The old one is released first: both together may be too large.
        """
        self.drop_workspace()
        workspace = aligned_zeros(carve(&self.net, NULL, n, gathers), np.uint8)
        carve(&self.net, address(workspace, PyBUF_WRITABLE), n, gathers)
        self.workspace, self.capacity, self.gathers = workspace, n, gathers
        return 0

    cdef int reserve_blocks(self, Py_ssize_t batches) except -1:
        """Allocate the blocks that the next `batches` mini-batches store into."""
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

    cdef int makes_packed(self, const task_t *task) except -1:
        """Whether a task makes packed copies of the weights first."""
        net = &self.net
        if not packing_pays(net, task):
            return False
        if net.packed.start == NULL:
            try:
                self.packed = aligned_zeros(net.packed.size, np.uint8)
                net.packed.start = address(self.packed, PyBUF_WRITABLE)
            except MemoryError:  # predictions need no copies
                net.packed.size = 0
                return False
        return True

    def tape_size(self, Py_ssize_t n, bint everything=False):
        """Bytes of a tape's memory, and the offsets of each layer's arrays in it."""
        cdef Py_ssize_t l, size
        cdef size_t start = ALIGNMENT  # any address but NULL
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
        """Pointers into a tape, and into the workspace for the rest; to be freed."""
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
        """Run a job by as many workers as its work pays for."""
        net = &self.net
        cdef bint many = task.data.n - task.first > task.rows
        net.packed.makes = job == walk and self.makes_packed(task)
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

        Signals are handled before each slice, and ``progress(rows done)`` is called
        after each: both may raise, and may use this engine.
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
                self.require_steps()
                total, divisor = task.sums.total, task.sums.divisor
                task.sums = net.sums  # with the accumulated gradients
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
        """Raise the error of a loss in Python, if there was one."""
        if self.failure is not None:
            failure, self.failure, self.net.failed = self.failure, None, False
            raise failure
        return 0

    cdef task_t whole_task(self) except *:
        """A task on all parameters, without a mini-batch."""
        cdef task_t task
        self.require_steps()
        forget(&self.net)
        memset(&task, 0, sizeof(task_t))
        task.net, task.what = &self.net, TRAIN
        task.data.n = task.rows = 1
        self.reserve(1)
        return task

    # --- predictions and steps --------------------------------------------------------

    def predict(self, X, out, bint checks_X):
        """out = a[L] for a[0] = X.

        Returns False, with `out` half written, if X is checked and not finite.
        """
        cdef task_t task = self.new_task(PREDICT, X)
        task.checks_X = checks_X
        task.out = address(out, PyBUF_WRITABLE)
        task.rows = AT_ONCE
        with self:
            self.run_slices(&task)
        return bool(task.finite)

    def evaluate(self, X, y, weight):
        """sum(w E) and sum(w); their quotient is the mean loss."""
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
        """One step from a mini-batch alone; accumulated gradients are kept."""
        self.require_steps()
        task.ends = True
        task.sums.waiting = self.net.sums.waiting
        self.reserve(task.rows)
        if self.net.clip_norm > 0:
            self.reserve_blocks(0)
        return self.run_task(walk, task)

    def run(
        self, X, y, weight, order, Py_ssize_t batch_size, Py_ssize_t first,
        double total, double divisor, Py_ssize_t most, bint ends,
        rates, progress=None,
    ):
        """Steps from row `first` of the order on, to the end or of `most` mini-batches.

        Parameters
        ----------
        order : int64 array (n,), or None for the rows as they lie
        total, divisor : the sum of w E so far, and the divisor of its mean
        most : number of mini-batches, 0 for all that there are
        ends : whether accumulated gradients make a step after the last row
        rates : learning rate of each step from here on, or None for `lr`
        progress : called with the number of rows done after each slice of time

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
        if rates is not None and len(rates) > 0:
            task.rates, task.n_rates = <const double *>address(rates), len(rates)
        task.first, task.sums.total, task.sums.divisor = first, total, divisor
        task.rows, task.most, task.ends = batch_size, most, ends
        with self:
            self.run_slices(&task, progress)
        return task.first, task.sums.total, task.sums.divisor, bool(task.finite)

    def run_epochs(
        self, X, y, weight, bits, Py_ssize_t batch_size, losses, seconds, rates,
        arrays, orders=None,
    ):
        """Epochs one after the other in C, for about a slice of time.

        Parameters
        ----------
        bits : NumPy bit generator for the order of the rows, used by nothing else
            meanwhile, or None for the rows as they lie
        losses, seconds : array (epochs,), written for each epoch that is finished
        rates : learning rate of each step from here on, or None for `lr`
        arrays : the arrays that training changes and that must stay finite
        orders : int64 array (epochs, n), the order of the rows in each epoch, or None

        Returns
        -------
        epochs, batch
            The number of finished epochs, and why the next one failed: the number of
            the mini-batch, from 1 on, whose loss was not finite; -1, -2, ... if the
            first, second, ... of the arrays was not finite; else 0.  A failed epoch is
            undone.
        """
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        cdef epochs_t epochs
        cdef Py_ssize_t i
        memset(&epochs, 0, sizeof(epochs_t))
        epochs.count, epochs.pairs = len(losses), len(arrays)
        if epochs.pairs > MOST_ARRAYS:
            raise ValueError(f"at most {MOST_ARRAYS} arrays; got {epochs.pairs}")
        epochs.losses = <double *>address(losses, PyBUF_WRITABLE)
        epochs.seconds = <double *>address(seconds, PyBUF_WRITABLE)
        for i in range(epochs.pairs):
            epochs.kept[i].at = address(arrays[i], PyBUF_WRITABLE)
            epochs.kept[i].size = arrays[i].nbytes
        if bits is not None:
            epochs.random = <bitgen_t *>PyCapsule_GetPointer(
                bits.capsule, "BitGenerator"
            )
        if rates is not None:
            task.rates, task.n_rates = <const double *>address(rates), len(rates)
        task.rows, task.ends = batch_size, True
        cdef char *scratch = <char *>PyMem_Malloc(
            carve_epochs(NULL, &epochs, task.data.n)
        )
        if scratch == NULL:
            raise MemoryError()
        carve_epochs(scratch, &epochs, task.data.n)
        task.data.targets.order = epochs.order
        if orders is not None:
            epochs.orders = task.data.targets.order = <const int64_t *>address(orders)
        try:
            with self:
                self.require_steps()
                epochs.deadline = seconds_now() + <double>interrupts.SLICE
                self.reserve(most_rows(&task), task.data.targets.order != NULL)
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
        """A step from the accumulated gradients, if there are any."""
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

        It is scaled in place if its norm is clipped.  `moments` are those of its n
        rows, or None.
        """
        cdef task_t task
        cdef char *gradient_at = address(gradient)
        cdef char *moments_at = address(moments) if moments is not None else NULL
        with self:
            task = self.whole_task()
            task.gradient = gradient_at
            self.run_task(descend, &task)
            count_steps(&self.net, 1)
            self.net.seen[0] += 1
            if moments_at != NULL:
                follow_stored(&self.net, moments_at, n)

    # --- steps of several processes ---------------------------------------------------

    def gradient_in_step(
        self, X, y, weight, order, Py_ssize_t first, Py_ssize_t n, Py_ssize_t number,
        gradient, moments, report=None,
    ):
        """The gradient of sum(w E) of one mini-batch of a step of several.

        Parameters
        ----------
        order : int64 array, or None for the rows as they lie
        first, n : the rows of the mini-batch, in that order
        number : number of the mini-batch in the step, from 0 on
        gradient : array for the gradient, 0 for frozen layers
        moments : array for the moments of batch norm, or None
        report : function called with l when the gradients of layer l and of all above
            are stored, before those below are computed; it must not use this engine

        Returns
        -------
        total, divisor, present, finite
            sum(w E) and the divisor of its mean; whether any weight is above 0: if not,
            nothing is written; and whether the loss and the moments are finite.
        """
        cdef task_t task = self.new_task(TRAIN, X, y, weight)
        if order is not None:
            task.data.targets.order = <const int64_t *>address(order)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.first, task.rows = first, n
        with self:
            task.key = key_of(self.net.seed, self.net.seen[0] + number)
            self.reserve(n, order is not None)
            self.report = report
            self.net.reports_to = <void *>self if report is not None else NULL
            try:
                self.run_task(differentiate_in_step, &task)
            finally:
                self.net.reports_to, self.report = NULL, None
            if task.sums.present:
                copy_moments(&self.net, self.net.memory, moments)
        return (task.sums.total, task.sums.divisor, bool(task.sums.present),
                bool(task.finite))

    def step_from_sum(
        self, gradient, double factor, double lr, moments, rows, Py_ssize_t batches,
    ):
        """One optimizer step on the parameters of this part, at a learning rate.

        Parameters
        ----------
        gradient : their summed gradient, which is first multiplied by `factor`, in
            place
        moments, rows : moments of mini-batches that the running ones follow, in their
            order, (k, layout.moments_size), and their numbers of rows, int64 (k,)
        batches : mini-batches used
        """
        cdef task_t task
        net = &self.net
        cdef char *gradient_at = address(gradient, PyBUF_WRITABLE)
        cdef const char *moments_at = address(moments)
        cdef const int64_t *rows_at = <const int64_t *>address(rows)
        cdef Py_ssize_t k, count = len(rows), apart = moments.nbytes // max(count, 1)
        with self:
            forget(net)
            memset(&task, 0, sizeof(task_t))
            task.net, task.what, task.factor = net, TRAIN, factor
            task.data.n = task.rows = task.n_rates = 1
            task.gradient, task.rates = gradient_at - net.part_at, &lr
            self.reserve(1)
            self.run_task(descend_part, &task)
            for k in range(count):
                follow_stored(net, moments_at + k * apart, rows_at[k])
            count_steps(net, 1)
            net.seen[0] += batches

    def parts_joined(self):
        """Note that the parameters of the other parts have been written.

        The limit of the norm of each unit's weights, if any, is applied to all.
        """
        cdef task_t task
        net = &self.net
        with self:
            forget(net)
            if net.max_norm > 0 and not net.whole:
                memset(&task, 0, sizeof(task_t))
                task.net, task.what = net, TRAIN
                task.data.n = task.rows = 1
                self.reserve(1)
                self.run_task(limit_all, &task)

    def sums_of_squares(self, gradient, double scale):
        """The sum of (scale g)^2 over each SQUARES elements of an array."""
        cdef const char *at = address(gradient)
        sums = np.empty((len(gradient) + SQUARES - 1) // SQUARES)
        if len(sums):
            self.net.k.sum_of_blocks(&alone, <double *>address(sums), at, scale,
                                     len(gradient))
        return sums

    def largest(self, gradient):
        """max |g| of an array, NaN left out; 0 if it is empty."""
        cdef const char *at = address(gradient)
        blocks = np.empty((len(gradient) + SQUARES - 1) // SQUARES)
        if not len(blocks):
            return 0.0
        return self.net.k.largest_of_blocks(&alone, <double *>address(blocks), at,
                                            len(gradient))

    # --- derivatives ------------------------------------------------------------------

    def gradients(self, X, y, weight, gradient, dX, moments):
        """The loss of a mini-batch, and its gradient by the parameters and by X.

        dX may be None.  The moments of the mini-batch for batch norm are written into
        `moments` unless it is None.
        """
        cdef task_t task = self.new_task(DIFFERENTIATE, X, y, weight)
        task.gradient = address(gradient, PyBUF_WRITABLE)
        task.dX = address(dX, PyBUF_WRITABLE) if dX is not None else NULL
        self.run_once(&task, moments)
        return mean_loss(&task)

    def training_loss(self, X, y, weight, moments):
        """The loss of `gradients`, without the derivatives; `moments` as there."""
        cdef task_t task = self.new_task(TRAINING_LOSS, X, y, weight)
        self.run_once(&task, moments)
        return mean_loss(&task)

    cdef int run_once(self, task_t *task, moments) except -1:
        """`walk` through a single mini-batch; its moments are copied."""
        with self:
            self.reserve(task.rows)
            self.run_task(walk, task)
            copy_moments(&self.net, self.net.memory, moments)
        return 0

    def forward(self, X, memory):
        """The forward pass, stored in this memory; noise is added to X in place."""
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

        `seen` is the number of mini-batches used before that of the tape.
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
        """`gradients`, with both passes stored in the memory of a tape.

        Noise is added to X in place.  w E of each sample is written into `losses`,
        float64 (n,), and the derivative by the loss's argument, a[L] or z[L-1], into
        `d_output` (n, n_L).  Returns the loss, NaN if it is not finite.
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
        """w E of each row, from the loss function, given outputs and targets.

        The function is called once: a loss need not be a mean over its rows.
        """
        with self:
            self.in_custom_loss = True
            try:
                return self.custom_loss.weighted(a, y, weight, 1.0)[0]
            finally:
                self.in_custom_loss = False

    # --- arguments checked in C -------------------------------------------------------

    def step_at_once(self, X, y):
        """`train_step` of arrays that need no conversion.

        None for any others: they must be checked and converted in Python.
        """
        self.enter()
        try:
            self.set_lr()
            return step_if_plain(self, X, y)
        finally:
            self.leave()

    def learn_one_at_once(self, x, y):
        """`step_at_once` of a single row, with its label, its target or its targets."""
        self.enter()
        try:
            self.set_lr()
            return learn_if_plain(self, x, y)
        finally:
            self.leave()

    def predict_at_once(self, X):
        """The outputs of an array that needs no conversion, None for any other."""
        self.enter()
        try:
            return predict_if_plain(self, X)
        finally:
            self.leave()

    def predict_one_at_once(self, x, out):
        """`predict_at_once` of a single row, written into `out` (n_L,)."""
        self.enter()
        try:
            return predict_one_if_plain(self, x, out)
        finally:
            self.leave()


include "loss.pxi"
include "direct.pxi"
