"""The engine: one mini-batch forward, backward and updated, without the GIL.

An ``Engine`` calls the kernels in order, over raw pointers into the arrays of a State
and into scratch memory of its own.  Arrays must be C-contiguous ndarrays, of the
network's dtype and of matching shapes (labels int64, weights float64): it checks this,
and that no two threads use it at once.  The methods named ``..._at_once`` check all of
their arguments in C, since for a small network the checks in Python take longer than
the step.  ``reference.Engine`` is its twin in NumPy.

Every method takes its pointers in one order, since Python code may change or free any
array: first the numbers are converted and the lock is taken, then the arrays are
checked, then the kernels run, with no Python code after a check.  Where Python code
does run (a loss function, a signal handler, progress), the arrays are checked again.

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
    memory      memory of arrays, and scratch memory
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

import math
import weakref
from types import SimpleNamespace

import numpy as np

from bpcore import _kernels as kernels, interrupts
from bpcore.errors import InUseError
from bpcore.groups import groups_of, names_of

from bpcore._kernels cimport (
    BATCH_NORM,
    CROSS_ENTROPY,
    IDENTITY,
    LOG_LOSS,
    NOT_NORMALISED,
    PLAIN,
    PLAIN_MOMENTUM,
    PLAIN_NESTEROV,
    SOFTMAX,
    DEFAULT_ARITHMETIC,
    SQUARES,
    activation_t,
    arithmetic_in_force,
    arithmetic_t,
    barrier_wait,
    begin_arithmetic,
    carry_powers,
    change_arithmetic,
    end_arithmetic,
    kernel_table,
    loss_t,
    normalisation_t,
    optimizer_of,
    optimizer_t,
    states_needed,
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
        bint abandoned
    bint enter_lock "bpcore_enter"(lock_t *lock, size_t thread)
    void begin_changes "bpcore_begin_changes"(lock_t *lock)
    bint owns_lock "bpcore_owns"(const lock_t *lock, size_t thread)
    size_t changes_of "bpcore_changes"(const lock_t *lock)
    bint unchanged "bpcore_unchanged"(const lock_t *lock, size_t changes)
    void leave_lock "bpcore_leave"(lock_t *lock)
    void add_lock "bpcore_add_lock"(lock_t *lock)
    void remove_lock "bpcore_remove_lock"(lock_t *lock)
    void init_locks "bpcore_init_locks"()


cdef extern from "csrc/team.h" nogil:
    ctypedef void (*job_t "bpcore_job")(
        void *task, const worker_t *worker,
    ) noexcept nogil
    void init_team "bpcore_init_team"()
    void run_job "bpcore_run"(int count, char *rooms, Py_ssize_t room_size, job_t job,
                              void *task)
    int count_forks "bpcore_count_forks"()
    void go_on "bpcore_go_on"(const worker_t *worker, int forks)


cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX


init_team()
init_locks()


include "cpu.pxi"
include "net.pxi"
include "memory.pxi"
include "arrays.pxi"
include "workspace.pxi"
include "step.pxi"
include "stored.pxi"
include "tasks.pxi"
include "random.pxi"
include "arithmetic.pxi"
include "epochs.pxi"
include "zeros.pxi"
include "packed.pxi"
include "parts.pxi"


cdef int raise_in_use() except -1:
    raise InUseError(
        "this network is in use by another thread; give each thread a network of its "
        "own"
    )


@cython.final
cdef class _Reading:
    """The lock of an engine, taken to read."""

    cdef Engine engine
    cdef int entries  # that have not been left

    def __cinit__(self, Engine engine not None):
        self.engine = engine

    def __enter__(self):
        self.engine.enter()
        self.entries += 1
        return self

    def __exit__(self, kind, error, traceback):
        if self.entries > 0:
            self.entries -= 1
            self.engine.leave()


cdef class Engine:
    """Calls the kernels of one network in order.

    Parameters
    ----------
    design : Design
    state : State, which is trained; its parameters have the dtype of all its arrays

    The build of the kernels is the one that is in use when the engine is made.
    """

    cdef net_t net
    cdef object custom_loss, failure, report
    cdef _Memory folded, packed, workspace
    cdef list blocks
    cdef tuple arrays    # of the state, into which `net` has pointers
    cdef list pins       # which keep them where they are
    cdef object dtype, layout
    cdef char kind
    cdef bint direct, at_once, makes_steps, labels_allowed, in_custom_loss
    cdef double steady_lr  # without a schedule
    cdef double least_target, most_target
    # Of the state, and of views of its parameters that are lent until the lock is taken
    # again: other threads may read them without it.
    cdef object holder
    cdef bint holds_views
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
        add_lock(&self.lock)
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
            self.folded = zeroed(net.size * net.k.itemsize)
            net.folded = self.folded.start
        # Whether mini-batches can be checked in C, and the bounds of their targets.
        self.direct = design.trains and not (
            net.batch_norm or design.custom_loss or loss.signs
        )
        self.labels_allowed = loss.labels and (
            design.custom_loss or net.loss in (CROSS_ENTROPY, LOG_LOSS)
        )
        self.least_target = max(loss.least, -net.largest)
        self.most_target = min(loss.most, net.largest)
        self.blocks, self.holder = [], SimpleNamespace(
            state=None, views=None
        )
        net.n_threads, net.work = 1, WORK
        self.use(state)

    def __dealloc__(self):
        remove_lock(&self.lock)
        PyMem_Free(self.net.layers)
        PyMem_Free(self.net.memory)
        PyMem_Free(self.net.groups)

    # --- the lock ---------------------------------------------------------------------

    cdef int enter(self) except -1:
        """Take the lock to read, or raise; every method that uses the buffers does."""
        if not enter_lock(&self.lock, PyThread_get_thread_ident()):
            raise_in_use()
        if self.holds_views:
            self.drop_views()
        if self.lock.abandoned:
            self.recover()
        if self.in_custom_loss:
            leave_lock(&self.lock)
            raise RuntimeError("this network is in use by the step that calls its loss")
        return 0

    cdef inline int enter_to_change(self) except -1:
        """Take the lock to change the state, or raise."""
        self.enter()
        begin_changes(&self.lock)
        return 0

    cdef int recover(self) except -1:
        """Undo what a call has set for its duration that ended by a fork.

        Another thread of the parent made it, which does not exist in this process.  The
        parameters and counters are as they were in that moment.
        """
        net = &self.net
        self.lock.abandoned = False
        self.in_custom_loss = net.failed = net.skips = net.packed.used = False
        self.failure, self.report, net.reports_to = None, None, NULL
        net.accumulate, net.prepared_lr = 1, NAN
        memset(&net.sums, 0, sizeof(sums_t))
        forget(net)
        self.state.bits.lock._at_fork_reinit()  # the thread may have held it
        return 0

    cdef void leave(self) noexcept:
        leave_lock(&self.lock)

    def __enter__(self):
        self.enter_to_change()
        return self

    def __exit__(self, kind, error, traceback):  # without a tuple: it needs no memory
        if owns_lock(&self.lock, PyThread_get_thread_ident()):
            self.leave()

    def reading(self):
        """A context that takes the lock, as the engine itself does, but only to read.

        Other threads may read beside it by `read_whole`.
        """
        return _Reading(self)

    def read_whole(self, read):
        """The result of a function that reads the state, without the lock.

        Other threads may predict meanwhile.

        Raises
        ------
        InUseError
            If another thread changes the state, or may have, before the end.
        """
        cdef size_t before
        if owns_lock(&self.lock, PyThread_get_thread_ident()):
            return read()
        if self.lock.abandoned:
            with self.reading():
                pass
        before = changes_of(&self.lock)
        if before % 2 == 0:
            found = read()
            if unchanged(&self.lock, before):
                return found
        raise_in_use()

    # --- settings ---------------------------------------------------------------------

    def use(self, state, values=None, restore=None):
        """Replace the state, with its optimizer, factors and frozen layers.

        Everything that can fail comes first: if it raises, nothing has changed.

        Parameters
        ----------
        state : State
        values : State, optional
            Its parameters and moments are copied into those of `state`.
        restore : callable, optional
            Writes numbers into the arrays of `state`.  It is called when nothing else
            can fail, and must be called again if an interrupt ends it.

        Raises
        ------
        ValueError, TypeError
            If an array does not have the dtype and the shape of the design.
        """
        cdef optimizer_t *groups = NULL
        cdef char *parameters
        cdef char *moments
        cdef char *counters
        cdef char *arrays = NULL
        cdef char *new_parameters
        cdef char *new_moments
        net, layout, optimizer = &self.net, self.layout, state.optimizer
        cdef double lr = state.lr
        cdef double max_norm = optimizer.max_norm or 0
        cdef double clip_norm = optimizer.clip_norm or 0
        cdef bint scheduled = optimizer.schedule is not None
        cdef Py_ssize_t first, end, size = self.net.k.itemsize
        part = state.part
        first, end = part or (0, layout.size)
        cdef bint whole_state = part is None
        if not 0 <= first <= end <= layout.size:
            raise ValueError(f"part must lie in the parameters; got {part}")
        cdef Py_ssize_t states = len(names_of(optimizer, "states"))
        cdef Py_ssize_t stride = layout.stride(end - first)
        cdef bytes frozen = bytes(state.fixed)
        if len(frozen) != net.L:
            raise ValueError(f"every layer must have factors; got {state.lr_factors}")
        held = state.parameters, state.moments, state.counters, state.optimizer_arrays
        given = None if values is None else (values.parameters, values.moments)
        pins = pinned(*held)
        replaced = None
        try:
            with self:
                if optimizer.rule in kernels.RULES:
                    groups = new_groups(net, optimizer, state.lr_factors, states,
                                        stride)
                parameters = whole("parameters", held[0], self.kind, (net.size,))
                moments = whole("moments", held[1], self.kind, (net.moments,))
                counters = whole("counters", held[2], LABEL, (2 + net.L,))
                if held[3] is not None:
                    arrays = whole("optimizer arrays", held[3], self.kind,
                                   (states, stride)) - first * size
                elif states:
                    raise ValueError(f"optimizer arrays must be there for {optimizer}")
                new_parameters, new_moments = parameters, moments
                if given is not None:
                    new_parameters = whole("parameters", given[0], self.kind,
                                           (net.size,), PyBUF_SIMPLE)
                    new_moments = whole("moments", given[1], self.kind,
                                        (net.moments,), PyBUF_SIMPLE)
                if restore is not None:
                    forget(net)  # also if it is interrupted after some numbers
                    restore()
                # Freed after the switch.
                replaced = self.arrays, self.pins, self.holder.state
                # From here on nothing can fail, and no Python code runs.
                forget(net)
                memmove(parameters, new_parameters, net.size * size)
                memmove(moments, new_moments, net.moments * size)
                net.part_at, net.part_end = first * size, end * size
                net.whole = whole_state
                self.makes_steps = groups != NULL and net.whole
                self.at_once = self.direct and self.makes_steps
                use_groups(net, groups, frozen)
                groups = NULL
                net.parameters, net.running, net.state = parameters, moments, arrays
                net.state_size = states * stride
                net.steps = <int64_t *>counters
                net.seen, net.layer_steps = net.steps + 1, net.steps + 2
                net.max_norm, net.clip_norm = max_norm, clip_norm
                net.lr, net.prepared_lr = lr, NAN
                self.steady_lr, self.scheduled = lr, scheduled
                self.arrays, self.pins, self.holder.state = held, pins, state
        finally:
            PyMem_Free(groups)
        del replaced

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
        if mini_batches < 1:
            raise ValueError(f"accumulate must be at least 1; got {mini_batches}")
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
        self.enter_to_change()
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
        if n_threads < 1 or work < 1:
            raise ValueError(
                f"n_threads and work must be at least 1; got {n_threads} and {work}"
            )
        with self:
            self.net.n_threads, self.net.work = n_threads, work
            self.drop_workspace()  # its size depends on the number of threads

    # --- writable parameters ----------------------------------------------------------

    def lend(self):
        """The parameters as a flat array, into which the caller may write.

        While it or a view of it lives, no rows of W are skipped (zeros.pxi).
        """
        return np.frombuffer(_Loan(self.loans, self.arrays[0]), self.dtype)

    def views(self):
        """Views of the parameters by layer, into which the caller may write.

        They are made once, and kept until the lock is taken the next time: so a loop
        over layers is short, and a loan that nobody holds ends before it matters.
        """
        views = self.holder.views
        if views is None:
            views = self.layout.views(self.lend())
            self.holder.views, self.holds_views = views, True
        return views

    cdef int drop_views(self) except -1:
        self.holds_views = False
        self.holder.views = None
        return 0

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
        workspace = <_Memory?>zeroed(carve(&self.net, NULL, n, gathers))
        carve(&self.net, workspace.start, n, gathers)
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
            block = <_Memory?>zeroed(net.size * net.k.itemsize)
            net.blocks[len(self.blocks)] = block.start
            self.blocks.append(block)
        return 0

    cdef int makes_packed(self, const task_t *task) except -1:
        """Whether a task makes packed copies of the weights first."""
        net = &self.net
        if not packing_pays(net, task):
            return False
        if net.packed.start == NULL:
            try:
                self.packed = zeroed(net.packed.size)
                net.packed.start = self.packed.start
            except MemoryError:  # predictions need no copies
                net.packed.size = 0
                return False
        return True

    def tape_size(self, Py_ssize_t n, bint everything=False):
        """Bytes of a tape's memory, and the offsets of each layer's arrays in it."""
        cdef Py_ssize_t l, size
        cdef size_t start = ALIGNMENT  # any address but NULL
        if n < 1:
            raise ValueError(f"n must be at least 1; got {n}")
        cdef list found = [None] * self.net.L
        cdef memory_t *tape = <memory_t *>PyMem_Calloc(self.net.L, sizeof(memory_t))
        if tape == NULL:
            raise MemoryError()
        try:
            size = carve_memory(&self.net, tape, <char *>start, n, everything)
            for l in range(self.net.L):
                found[l] = places(&tape[l], start)
            return size, found
        finally:
            PyMem_Free(tape)

    cdef memory_t *new_tape(
        self, memory, Py_ssize_t n, bint everything=False,
    ) except NULL:
        """Pointers into a tape, and into the workspace for the rest; to be freed."""
        cdef char *start
        self.reserve(n)
        cdef Py_ssize_t L = self.net.L, size = L * sizeof(memory_t)
        cdef memory_t *tape = <memory_t *>PyMem_Malloc(size)
        if tape == NULL:
            raise MemoryError()
        try:
            memcpy(tape, self.net.memory, size)
            size = carve_memory(&self.net, tape, NULL, n, everything)
            start = numbers("memory of the tape", memory, c"B", size, PyBUF_WRITABLE)
            if <size_t>start % sizeof(double) != 0:
                raise ValueError("memory of the tape must be aligned")
        except BaseException:
            PyMem_Free(tape)
            raise
        memcpy(tape, self.net.memory, L * sizeof(memory_t))
        carve_memory(&self.net, tape, start, n, everything)
        return tape

    # --- tasks ------------------------------------------------------------------------

    cdef batch_t data_of(self, X, y, weight, order) except *:
        """Pointers to the arrays of a mini-batch or data set, checked.

        y is None for a task without targets.
        """
        cdef batch_t data
        cdef plain_t it = plain(X)
        cdef Py_ssize_t n_in = self.net.layers[0].n_in
        cdef Py_ssize_t n_out = self.net.layers[self.net.L - 1].n_out
        memset(&data, 0, sizeof(batch_t))
        if it.ndim != 2 or it.kind != self.kind or it.width != n_in:
            raise_unlike("X", X, it.kind, self.kind, f"(n, {n_in})", 0)
        data.n, data.X = it.n, it.at
        if y is not None:
            it = plain(y)
            if it.ndim == 1 and self.labels_allowed:
                data.targets.labels = <const int64_t *>numbers("y", y, LABEL, data.n)
            elif it.ndim == 2 and it.width == n_out:
                data.targets.y = numbers("y", y, self.kind, data.n * n_out)
            else:
                raise_unlike("y", y, it.kind, self.kind, f"({data.n}, {n_out})", 0)
        if weight is not None:
            it = plain(weight)
            data.targets.weights = it.width if it.ndim == 2 else 1
            if data.targets.weights not in (1, n_out):
                raise_unlike(
                    "weight", weight, it.kind, c"d", f"({data.n}, {n_out})", 0
                )
            data.targets.weight = <const double *>numbers(
                "weight", weight, c"d", data.n * data.targets.weights
            )
        if order is not None:
            data.targets.order = <const int64_t *>numbers("order", order, LABEL, data.n)
        return data

    cdef int begin(
        self, task_t *task, what_t what, tuple inputs, bint has_targets=True,
    ) except -1:
        """A new task on X, y, weight and order; the caller keeps them alive."""
        memset(task, 0, sizeof(task_t))
        X, y, weight, order = inputs
        if has_targets and y is None:
            raise TypeError("y must be an array; got None")
        task.net, task.what, task.deadline = &self.net, what, INFINITY
        task.inputs = <void *>inputs
        task.data = self.data_of(X, y, weight, order)
        task.rows = task.data.n
        return 0

    cdef int require_inputs_unmoved(self) except -1:
        """Raise if Python code has resized an array that the task reads."""
        cdef task_t *task = self.net.task
        X, y, weight, order = <tuple>task.inputs
        cdef batch_t now = self.data_of(X, y, weight, order)
        before, after = &task.data.targets, &now.targets
        if (
            now.n != task.data.n or now.X != task.data.X or after.y != before.y
            or after.labels != before.labels or after.weight != before.weight
        ):
            raise RuntimeError("X, y and sample_weight must not be resized while used")
        return 0

    cdef int run_task(self, job_t job, task_t *task) except -1:
        """Run a job by as many workers as its work pays for."""
        net = &self.net
        cdef bint many = task.data.n - task.first > task.rows
        net.task = task
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

    cdef int run_slices(self, task_t *task, out=None, progress=None) except -1:
        """`walk` in slices of time to the end, or until a loss or X is not finite.

        Signals are handled before each slice, and ``progress(rows done)`` is called
        after each: both may raise, and may use this engine.
        """
        net = &self.net
        cdef Py_ssize_t most = task.most, n_out = net.layers[net.L - 1].n_out
        cdef bint gathers = task.data.targets.order != NULL
        cdef double total, divisor
        while True:
            interrupts.raise_if_stopped()
            PyErr_CheckSignals()
            net.task = task
            self.require_inputs_unmoved()
            if out is not None:
                task.out = numbers("out", out, self.kind, task.data.n * n_out,
                                   PyBUF_WRITABLE)
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
        cdef task_t task
        inputs = X, None, None, None
        with self.reading():
            self.begin(&task, PREDICT, inputs, False)
            task.checks_X, task.rows = checks_X, AT_ONCE
            self.run_slices(&task, out)
        return bool(task.finite)

    def evaluate(self, X, y, weight):
        """sum(w E) and sum(w); their quotient is the mean loss."""
        cdef task_t task
        inputs = X, y, weight, None
        with self.reading():
            self.begin(&task, EVALUATE, inputs)
            task.rows = AT_ONCE
            self.run_slices(&task)
        return task.sums.total, task.sums.divisor

    def train_step(self, X, y, weight):
        """One step; returns the loss before it, or NaN with nothing changed."""
        cdef task_t task
        inputs = X, y, weight, None
        with self:
            self.begin(&task, TRAIN, inputs)
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
        cdef task_t task
        cdef plain_t at
        cdef Py_ssize_t end
        inputs = X, y, weight, order
        with self:
            self.begin(&task, TRAIN, inputs)
            end = task.data.n
            if not 0 <= first <= end or batch_size < 1 or most < 0:
                raise ValueError(
                    f"first must be from 0 to {end}, batch_size at least 1 and most at "
                    f"least 0; got {first}, {batch_size} and {most}"
                )
            task.rows = min(batch_size, max(end, 1))
            if 0 < most < (end - first) // task.rows:
                end = first + most * task.rows + 1
            require_places(task.data.targets.order, first, end, task.data.n)
            if rates is not None:
                at = vector("rates", rates, c"d")
                if at.n > 0:
                    task.rates, task.n_rates = <const double *>at.at, at.n
            task.first, task.sums.total, task.sums.divisor = first, total, divisor
            task.most, task.ends = most, ends
            self.run_slices(&task, None, progress)
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
        cdef task_t task
        cdef epochs_t epochs
        cdef plain_t at
        cdef Py_ssize_t i
        cdef char *scratch = NULL
        inputs, arrays = (X, y, weight, None), tuple(arrays)
        capsule = None if bits is None else bits.capsule  # keeps the generator alive
        memset(&epochs, 0, sizeof(epochs_t))
        if batch_size < 1 or len(arrays) > MOST_ARRAYS:
            raise ValueError(
                f"batch_size must be at least 1, and arrays at most {MOST_ARRAYS}; "
                f"got {batch_size} and {len(arrays)}"
            )
        if capsule is not None:
            epochs.random = <bitgen_t *>PyCapsule_GetPointer(capsule, "BitGenerator")
        try:
            with self:
                self.require_steps()
                self.begin(&task, TRAIN, inputs)
                task.rows, task.ends = min(batch_size, max(task.data.n, 1)), True
                at = vector("losses", losses, c"d", PyBUF_WRITABLE)
                epochs.count, epochs.losses = at.n, <double *>at.at
                epochs.seconds = <double *>numbers("seconds", seconds, c"d", at.n,
                                                   PyBUF_WRITABLE)
                if rates is not None:
                    at = vector("rates", rates, c"d")
                    if at.n > 0:
                        task.rates, task.n_rates = <const double *>at.at, at.n
                epochs.pairs = len(arrays)
                for i in range(epochs.pairs):
                    at = plain(arrays[i], PyBUF_WRITABLE)
                    if at.ndim == 0 or at.kind != self.kind:
                        raise_unlike(
                            "arrays", arrays[i], at.kind, self.kind, "", PyBUF_WRITABLE
                        )
                    epochs.kept[i].at = at.at
                    epochs.kept[i].size = at.n * at.width * self.net.k.itemsize
                scratch = <char *>PyMem_Malloc(
                    carve_epochs(NULL, &epochs, task.data.n)
                )
                if scratch == NULL:
                    raise MemoryError()
                carve_epochs(scratch, &epochs, task.data.n)
                task.data.targets.order = epochs.order
                if orders is not None:
                    epochs.orders = <const int64_t *>numbers(
                        "orders", orders, LABEL, epochs.count * task.data.n
                    )
                    require_places(epochs.orders, 0, epochs.count * task.data.n,
                                   task.data.n)
                    task.data.targets.order = epochs.orders
                epochs.deadline = seconds_now() + <double>interrupts.SLICE
                self.reserve(most_rows(&task), task.data.targets.order != NULL)
                self.reserve_blocks((task.data.n - 1) // task.rows + 1)
                epochs.workers = worker_count(
                    &self.net, TRAIN, min(task.rows, task.data.n),
                    task.data.n > task.rows,
                )
                self.net.task = &task
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
        cdef char *moments_at = NULL
        net = &self.net
        with self:
            task = self.whole_task()
            if moments is not None:
                moments_at = numbers("moments", moments, self.kind, net.moments)
            task.gradient = numbers("gradient", gradient, self.kind, net.size,
                                    PyBUF_WRITABLE if net.clip_norm > 0 else 0)
            self.run_task(descend, &task)
            count_steps(net, 1)
            net.seen[0] += 1
            if moments_at != NULL:
                follow_stored(net, moments_at, n)

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
        cdef task_t task
        inputs = X, y, weight, order
        with self:
            self.begin(&task, TRAIN, inputs)
            if not 0 <= first <= task.data.n - n <= task.data.n:
                raise ValueError(
                    f"first and n must be of the {task.data.n} rows; got {first}, {n}"
                )
            require_places(task.data.targets.order, first, first + n, task.data.n)
            task.gradient = numbers("gradient", gradient, self.kind, self.net.size,
                                    PyBUF_WRITABLE)
            task.first, task.rows = first, n
            task.key = key_of(self.net.seed, self.net.seen[0] + number)
            self.reserve(n, order is not None)
            self.report = report
            self.net.reports_to = <void *>self if report is not None else NULL
            try:
                self.run_task(differentiate_in_step, &task)
            finally:
                self.net.reports_to, self.report = NULL, None
            if task.sums.present:
                self.copy_moments(self.net.memory, moments)
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
        cdef char *gradient_at
        cdef const char *moments_at
        cdef const int64_t *rows_at
        cdef plain_t numbers_of_rows
        cdef Py_ssize_t k, apart
        net = &self.net
        apart = net.moments * net.k.itemsize
        with self:
            gradient_at = numbers("gradient", gradient, self.kind,
                                  (net.part_end - net.part_at) // net.k.itemsize,
                                  PyBUF_WRITABLE)
            numbers_of_rows = vector("rows", rows, LABEL)
            rows_at = <const int64_t *>numbers_of_rows.at
            moments_at = numbers("moments", moments, self.kind,
                                 numbers_of_rows.n * net.moments)
            forget(net)
            memset(&task, 0, sizeof(task_t))
            task.net, task.what, task.factor = net, TRAIN, factor
            task.data.n = task.rows = task.n_rates = 1
            task.gradient, task.rates = gradient_at - net.part_at, &lr
            self.reserve(1)
            self.run_task(descend_part, &task)
            for k in range(numbers_of_rows.n):
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
        cdef plain_t g = vector("gradient", gradient, self.kind)
        sums = np.empty((g.n + SQUARES - 1) // SQUARES)
        cdef arithmetic_t before = begin_arithmetic()
        if g.n:
            self.net.k.sum_of_blocks(&alone, <double *>own(sums), g.at, scale, g.n)
        end_arithmetic(before)
        return sums

    def largest(self, gradient):
        """max |g| of an array, NaN left out; 0 if it is empty."""
        cdef plain_t g = vector("gradient", gradient, self.kind)
        if not g.n:
            return 0.0
        blocks = np.empty((g.n + SQUARES - 1) // SQUARES)
        cdef arithmetic_t before = begin_arithmetic()
        cdef double largest = self.net.k.largest_of_blocks(
            &alone, <double *>own(blocks), g.at, g.n
        )
        end_arithmetic(before)
        return largest

    # --- derivatives ------------------------------------------------------------------

    def gradients(self, X, y, weight, gradient, dX, moments):
        """The loss of a mini-batch, and its gradient by the parameters and by X.

        dX may be None.  The moments of the mini-batch for batch norm are written into
        `moments` unless it is None.
        """
        cdef task_t task
        inputs = X, y, weight, None
        with self.reading():
            self.begin(&task, DIFFERENTIATE, inputs)
            self.point_to_derivatives(&task, gradient, dX)
            self.run_once(&task, moments)
        return mean_loss(&task)

    def training_loss(self, X, y, weight, moments):
        """The loss of `gradients`, without the derivatives; `moments` as there."""
        cdef task_t task
        inputs = X, y, weight, None
        with self.reading():
            self.begin(&task, TRAINING_LOSS, inputs)
            self.run_once(&task, moments)
        return mean_loss(&task)

    cdef int point_to_derivatives(self, task_t *task, gradient, dX) except -1:
        """Pointers to the arrays of the derivatives; dX may be None."""
        net = &self.net
        task.gradient = numbers("gradient", gradient, self.kind, net.size,
                                PyBUF_WRITABLE)
        if dX is not None:
            task.dX = numbers("dX", dX, self.kind, task.data.n * net.layers[0].n_in,
                              PyBUF_WRITABLE)
        return 0

    cdef int run_once(self, task_t *task, moments) except -1:
        """`walk` through a single mini-batch; its moments are copied."""
        self.reserve(task.rows)
        self.run_task(walk, task)
        self.copy_moments(self.net.memory, moments)
        return 0

    cdef int copy_moments(self, const memory_t *memory, moments) except -1:
        """Copy the moments of a mini-batch into an array, unless it is None."""
        if moments is not None:
            copy_moments(&self.net, memory, numbers(
                "moments", moments, self.kind, self.net.moments, PyBUF_WRITABLE
            ))
        return 0

    def forward(self, X, memory):
        """The forward pass, stored in this memory; noise is added to X in place."""
        cdef task_t task
        inputs = X, None, None, None
        with self.reading():
            self.begin(&task, PREDICT, inputs, False)
            self.require_writable(X, &task)
            task.key = key_of(self.net.seed, self.net.seen[0])
            task.tape = self.new_tape(memory, task.data.n)
            try:
                self.run_task(tape_forward, &task)
            finally:
                PyMem_Free(task.tape)

    cdef int require_writable(self, X, const task_t *task) except -1:
        """Raise unless noise can be added to X."""
        numbers("X", X, self.kind, task.data.n * self.net.layers[0].n_in,
                PyBUF_WRITABLE)
        return 0

    def backward(self, X, memory, int64_t seen, d_output, gradient, dX, moments):
        """The gradient by the parameters and by X, from dE/da[L] and a tape.

        `seen` is the number of mini-batches used before that of the tape.
        """
        cdef task_t task
        cdef const char *d_output_at
        cdef Py_ssize_t size = self.net.layers[self.net.L - 1].n_out
        inputs = X, None, None, None
        with self.reading():
            self.begin(&task, DIFFERENTIATE, inputs, False)
            size *= task.data.n
            self.point_to_derivatives(&task, gradient, dX)
            d_output_at = numbers("d_output", d_output, self.kind, size)
            task.key = key_of(self.net.seed, seen)
            task.tape = self.new_tape(memory, task.data.n)
            try:
                memcpy(task.tape[self.net.L - 1].delta, d_output_at,
                       size * self.net.k.itemsize)
                self.run_task(tape_backward, &task)
                self.copy_moments(task.tape, moments)
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
        cdef task_t task
        cdef Py_ssize_t n, n_out = self.net.layers[self.net.L - 1].n_out
        inputs = X, y, weight, None
        with self.reading():
            self.begin(&task, DIFFERENTIATE, inputs)
            n = task.data.n
            self.require_writable(X, &task)
            self.point_to_derivatives(&task, gradient, dX)
            task.out = numbers("d_output", d_output, self.kind, n * n_out,
                               PyBUF_WRITABLE)
            task.key = key_of(self.net.seed, self.net.seen[0])
            task.tape = self.new_tape(memory, n, True)
            try:
                self.run_task(record, &task)
                memcpy(numbers("losses", losses, c"d", n, PyBUF_WRITABLE), self.net.E,
                       n * sizeof(double))
                self.copy_moments(task.tape, moments)
            finally:
                PyMem_Free(task.tape)
        return mean_loss(&task)

    def losses(self, a, y, weight):
        """w E of each row, from the loss function, given outputs and targets.

        The function is called once: a loss need not be a mean over its rows.
        """
        with self.reading():
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
        self.enter_to_change()
        cdef arithmetic_t before = begin_arithmetic()
        try:
            self.set_lr()
            return step_if_plain(self, X, y)
        finally:
            self.leave()
            end_arithmetic(before)

    def learn_one_at_once(self, x, y):
        """`step_at_once` of a single row, with its label, its target or its targets."""
        self.enter_to_change()
        cdef arithmetic_t before = begin_arithmetic()
        try:
            self.set_lr()
            return learn_if_plain(self, x, y)
        finally:
            self.leave()
            end_arithmetic(before)

    def predict_at_once(self, X):
        """The outputs of an array that needs no conversion, None for any other."""
        self.enter()
        cdef arithmetic_t before = begin_arithmetic()
        try:
            return predict_if_plain(self, X)
        finally:
            self.leave()
            end_arithmetic(before)

    def predict_one_at_once(self, x, out):
        """`predict_at_once` of a single row, written into `out` (n_L,)."""
        self.enter()
        cdef arithmetic_t before = begin_arithmetic()
        try:
            return predict_one_if_plain(self, x, out)
        finally:
            self.leave()
            end_arithmetic(before)


include "loss.pxi"
include "direct.pxi"
