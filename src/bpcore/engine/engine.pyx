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
    tape                           what one mini-batch leaves, in an array of its own

Every method that uses the workspace or the blocks first makes them large enough, once
it has entered the engine.  Methods that may take long run for a slice of time without
the GIL, then handle signals, and so on: an interrupt comes between two mini-batches.

Every function that takes a worker is run by all workers of a task at once, each
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

from bpcore import interrupts
from bpcore.model.memory import aligned_zeros

from bpcore._kernels cimport (
    BATCH_NORM,
    IDENTITY,
    NOT_NORMALISED,
    SOFTMAX,
    SQUARES,
    activation_t,
    carry_powers,
    kernel_table,
    loss_t,
    meet,
    norm,
    normalisation_t,
    optimizer_t,
    share,
    targets_t,
    told,
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
    # Rows that are predicted or evaluated at a time.
    AT_ONCE = 256
    # Bits of the number of mini-batches that make one step together.
    MOST_BLOCKS = 64


cdef struct layer_t:
    Py_ssize_t n_in
    Py_ssize_t n_out
    activation_t f
    normalisation_t norm
    double dropout
    bint of_z            # whether f' is read from z, else from f(z),
    bint keeps_f         # and whether that is another array than a
    bint frozen
    int64_t steps        # of the optimizer on this layer
    Py_ssize_t W_at      # bytes from the start of a parameter-sized buffer
    Py_ssize_t b_at
    Py_ssize_t gain_at
    Py_ssize_t running_at


# What a layer leaves of one mini-batch.
cdef struct memory_t:
    char *a              # (n, n_out)
    char *f              # f(z) before units drop out: a itself, or another array
    char *z              # NULL where nobody reads it
    char *hat            # normalised (n, n_out)
    char *inverse        # 1 / sqrt(variance + eps), (max(n, n_out),)
    char *moments        # mean and variance of the mini-batch, (2, n_out)
    char *delta          # dE/dz, and in its place then dE/du of a normalised layer


# One mini-batch: X (n, n_0) and its targets.
cdef struct batch_t:
    Py_ssize_t n
    const char *X
    targets_t targets


# What has come of the mini-batches so far.
cdef struct sums_t:
    double total                    # sum of w E, whose mean is total / divisor
    double divisor                  # rows, or the sum of w
    Py_ssize_t waiting              # mini-batches whose gradients wait for a step,
    double waiting_divisor          # the divisor of their mean,
    uint64_t present                # bit b: net.blocks[b] holds a sum of them
    int64_t steps                   # made
    Py_ssize_t accumulate           # mini-batches for a step


# A network as the workers see it: nothing of Python but `asks`.
cdef struct net_t:
    const kernel_table *k
    Py_ssize_t L, widest, size      # layers, units of the widest, parameters
    layer_t *layers
    loss_t loss
    double loss_setting
    bint loss_takes_z
    activation_t f_last             # what the loss takes is f_last(z[L-1])
    void *asks                      # the Engine, where the loss is a Python function
    bint failed                     # which raised an error
    double largest                  # finite number of the dtype
    char *parameters
    char *state
    char *folded                    # parameters without batch norm
    char *running                   # moments of the layers with batch norm
    # Training.
    optimizer_t *groups             # of W[0], b[0], W[1], b[1], ...
    double lr, prepared_lr
    bint timed                      # whether a step depends on its number
    double max_norm, clip_norm      # 0: none
    Py_ssize_t lowest               # layer that is not frozen
    Py_ssize_t accumulate           # mini-batches for a step
    bint by_weights                 # a mini-batch's divisor is its sum of w, not rows
    bint batch_norm                 # of a layer: no mini-batch is a row alone
    int64_t steps, seen             # steps made, mini-batches used
    uint64_t seed                   # of what is random while training
    double input_noise
    bint draws                      # whether anything is random while training
    sums_t sums
    # The workspace.
    memory_t *memory                # whose layers take turns at two deltas
    char *dshift
    char *dgain
    double *E
    char *gathered                  # rows of X
    double *squares                 # partial sums of a norm
    char *rooms
    Py_ssize_t room_size
    # Stored gradients, of blocks of mini-batches while they wait for a step.
    char *blocks[MOST_BLOCKS]


cdef enum what_t:
    PREDICT
    EVALUATE
    TRAIN
    DIFFERENTIATE
    TRAINING_LOSS


# What the engine is asked for, and what comes of it.
cdef struct task_t:
    net_t *net
    what_t what
    batch_t data
    Py_ssize_t first                # row to go on from
    Py_ssize_t rows                 # of a mini-batch
    Py_ssize_t most                 # mini-batches, 0 for any number
    double deadline
    Py_ssize_t batches              # mini-batches that were made
    bint ends                       # whether gradients that wait at the end are used
    const double *rates             # learning rate of every step, or NULL
    Py_ssize_t n_rates
    sums_t sums
    uint64_t key                    # of this mini-batch
    bint finite                     # every loss, or every X that was to be looked at
    bint looks                      # whether predictions are made of finite X only
    bint late
    bint found                      # something in X that is not finite
    char *out                       # where predictions go
    char *gradient                  # where derivatives go
    char *dX
    memory_t *tape


include "step.pxi"
include "arrays.pxi"


# --- tasks ----------------------------------------------------------------------------


cdef inline void prepare(
    net_t *net, const task_t *task, int64_t steps,
) noexcept nogil:
    """Make the optimizer ready for the step after so many of this task."""
    cdef double lr = net.lr
    if task.rates != NULL:
        lr = task.rates[min(steps, task.n_rates - 1)]
    if net.timed or lr != net.prepared_lr:
        prepare_groups(net, lr, steps)


cdef void prepare_groups(net_t *net, double lr, int64_t steps) noexcept nogil:
    """Every group's numbers for that learning rate and step."""
    cdef Py_ssize_t i
    for i in range(2 * net.L):
        layer = &net.layers[i // 2]
        if not layer.frozen:
            net.k.prepare(&net.groups[i], lr, layer.steps + steps + 1)
    net.prepared_lr = lr


cdef void count_steps(net_t *net, int64_t steps) noexcept nogil:
    """The optimizer has made so many more steps on every layer that is not frozen."""
    cdef Py_ssize_t l
    net.steps += steps
    for l in range(net.L):
        if not net.layers[l].frozen:
            net.layers[l].steps += steps


cdef Py_ssize_t batch_rows(const task_t *task, Py_ssize_t first) noexcept nogil:
    """Rows of the mini-batch that begins at row `first`."""
    cdef Py_ssize_t left = task.data.n - first
    if task.what == TRAIN and task.net.batch_norm and left == task.rows + 1:
        return left
    return min(task.rows, left)


cdef Py_ssize_t most_rows(const task_t *task) noexcept nogil:
    """Rows of the largest mini-batch."""
    cdef bint joined = task.what == TRAIN and task.net.batch_norm
    return min(task.rows, task.data.n - joined) + joined


cdef void walk(void *task_, const worker_t *worker) noexcept nogil:
    """Mini-batch after mini-batch from row `first` on, until the rows or the time end.

    The sums are one chain of additions each, which every worker does for itself: no bit
    depends on when the time was used up.
    """
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    cdef batch_t batch
    cdef Py_ssize_t n, first = task.first, batches = 0
    cdef Py_ssize_t clock_every = 1 if task.rows * net.size > QUICK else CLOCK_EVERY
    cdef bint training = task.what not in (PREDICT, EVALUATE)
    cdef bint finite = True, late = False
    cdef sums_t sums = task.sums
    cdef uint64_t key
    cdef double divisor
    cdef char *out = net.memory[net.L - 1].a
    if net.folded != NULL and not training:
        fold_pass(net, worker)
    while first < task.data.n and finite and not late:
        n = batch_rows(task, first)
        batch = rows(net, worker, &task.data, first, n)
        if worker.index == 0:
            task.key = key_of(net.seed, net.seen + batches) if net.draws else 0
            if task.what == TRAIN:
                prepare(net, task, sums.steps)
            if (batches + 1) % clock_every == 0:
                task.late = seconds_now() >= task.deadline
            if batches + 1 == task.most:
                task.late = True
        if task.looks:
            look(task, worker, &batch)
        meet(worker)
        late, finite, key = task.late, not task.found, task.key
        if not finite:
            break
        if training and net.input_noise > 0:
            add_noise(net, worker, &batch, key)
            meet(worker)
        if task.what == PREDICT:
            forward_pass(net, worker, net.memory, batch.X,
                         task.out + first * last.n_out * net.k.itemsize, n, last.f,
                         False, key)
        elif task.what == TRAIN:
            finite = step(net, worker, &batch, key, &sums,
                          task.ends and first + n == task.data.n)
        else:
            forward_pass(net, worker, net.memory, batch.X, out, n, net.f_last, training,
                         key)
            divisor = weight_sum(net, &batch)
            if training:
                divisor = mean_divisor(net, &batch, divisor)
            loss_pass(net, worker, net.memory, &batch, out, training, divisor,
                      &sums.total)
            sums.divisor += divisor
            finite = not net.failed
            if task.what == DIFFERENTIATE:
                backward_pass(net, worker, net.memory, batch.X, n, key, task.gradient,
                              task.dX, False)
        if finite:
            first += n
            batches += 1
    if worker.index == 0:
        task.first, task.finite, task.sums = first, finite, sums
        task.batches = batches
        if task.what == TRAIN:
            net.seen += batches
            count_steps(net, sums.steps)


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
    """All that a mini-batch leaves on the way forward; X may get noise."""
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    add_noise_in_place(task, worker)
    forward_pass(net, worker, task.tape, task.data.X, task.tape[net.L - 1].a,
                 task.data.n, last.f, True, task.key)


cdef void tape_backward(void *task_, const worker_t *worker) noexcept nogil:
    """All derivatives from dE/da[L], which lies in the last delta, and the tape."""
    task = <task_t *>task_
    net = task.net
    times_derivative_pass(net, worker, task.tape, net.L - 1, task.data.n)
    meet(worker)
    backward_pass(net, worker, task.tape, task.data.X, task.data.n, task.key,
                  task.gradient, task.dX, False)


cdef void record(void *task_, const worker_t *worker) noexcept nogil:
    """All that a mini-batch leaves on the way forward and back; X may get noise."""
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    output = &task.tape[net.L - 1]
    cdef char *out = output.z if net.loss_takes_z else output.a
    cdef double total = 0
    cdef double divisor = mean_divisor(net, &task.data, weight_sum(net, &task.data))
    add_noise_in_place(task, worker)
    forward_pass(net, worker, task.tape, task.data.X, out, task.data.n, net.f_last,
                 True, task.key)
    loss_pass(net, worker, task.tape, &task.data, out, False, divisor, &total)
    if worker.index == 0:
        memcpy(task.out, output.delta, task.data.n * last.n_out * net.k.itemsize)
    meet(worker)
    if net.loss_takes_z:
        net.k.activate(worker, output.a, output.z, task.data.n, last.n_out, last.f)
    else:
        times_derivative_pass(net, worker, task.tape, net.L - 1, task.data.n)
    meet(worker)
    backward_pass(net, worker, task.tape, task.data.X, task.data.n, task.key,
                  task.gradient, task.dX, False)
    if worker.index == 0:
        task.sums.total, task.sums.divisor = total, divisor
        task.finite = isfinite(total)


cdef void add_noise_in_place(task_t *task, const worker_t *worker) noexcept nogil:
    """X, which is the caller's to write, as training sees it."""
    net = task.net
    if net.input_noise > 0:
        net.k.add_noise(worker, <char *>task.data.X, task.data.X, key_of(task.key, 0),
                        net.input_noise, task.data.n, net.layers[0].n_in)
        meet(worker)


cdef void descend(void *task_, const worker_t *worker) noexcept nogil:
    """One optimizer step on all parameters from a stored gradient."""
    task = <task_t *>task_
    net = task.net
    if worker.index == 0:
        prepare(net, task, 0)
    meet(worker)
    clip_pass(net, worker, task.gradient, 1)
    descend_pass(net, worker, task.gradient)


cdef void flush_waiting(void *task_, const worker_t *worker) noexcept nogil:
    """A step from the gradients that wait."""
    task = <task_t *>task_
    net = task.net
    cdef sums_t sums = task.sums
    if worker.index == 0:
        prepare(net, task, 0)
    meet(worker)
    flush_pass(net, worker, &sums)


# --- epochs ---------------------------------------------------------------------------


# NumPy's interface of bit generators for C (numpy/random/bitgen.h).
cdef struct bitgen_t:
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil
    unsigned int (*next_uint32)(void *state) noexcept nogil
    double (*next_double)(void *state) noexcept nogil
    uint64_t (*next_raw)(void *state) noexcept nogil


# An array, and a copy of it.
cdef struct copy_t:
    char *at
    char *copy
    Py_ssize_t size


cdef struct epochs_t:
    Py_ssize_t count                # at most
    Py_ssize_t done
    Py_ssize_t batch                # that diverged, or -1 - array that is not finite
    double *losses
    double *seconds
    double deadline
    int workers
    bitgen_t *random                # NULL: in order
    int64_t *order                  # of the rows
    uint64_t *words                 # random ones, of which the order is made
    Py_ssize_t pairs
    copy_t kept[3]                  # what training changes, as it was


cdef Py_ssize_t carve_epochs(
    char *start, epochs_t *epochs, Py_ssize_t n,
) noexcept nogil:
    """Point every part into the memory at `start`; returns its size."""
    cdef Py_ssize_t i, at = 0
    if epochs.random != NULL:
        epochs.order = <int64_t *>part(start, &at, n * sizeof(int64_t))
        epochs.words = <uint64_t *>part(start, &at, n * sizeof(uint64_t))
    for i in range(epochs.pairs):
        epochs.kept[i].copy = part(start, &at, epochs.kept[i].size)
    return at


cdef void walk_epochs(task_t *task, epochs_t *epochs) noexcept nogil:
    """Epoch after epoch, until the time is over or one diverges."""
    net = task.net
    cdef double start = seconds_now(), end
    cdef int64_t seen
    while epochs.done < epochs.count:
        seen = net.seen
        save(epochs)
        shuffle_rows(epochs, task.data.n)
        memset(&task.sums, 0, sizeof(sums_t))
        task.sums.accumulate = net.accumulate
        task.first, task.late, task.deadline = 0, False, INFINITY
        run_job(epochs.workers, net.rooms, net.room_size, walk, task)
        epochs.batch = diverged(task, epochs)
        if epochs.batch != 0:
            restore(epochs)
            count_steps(net, -task.sums.steps)
            net.seen = seen
            return
        if task.rates != NULL:
            task.rates += task.sums.steps
            task.n_rates -= task.sums.steps
        end = seconds_now()
        epochs.losses[epochs.done] = mean_loss(task)
        epochs.seconds[epochs.done] = end - start
        epochs.done += 1
        if end >= epochs.deadline:
            return
        start = end


cdef Py_ssize_t diverged(const task_t *task, const epochs_t *epochs) noexcept nogil:
    """The mini-batch whose loss was not finite, else -1 - array that is not, or 0."""
    cdef Py_ssize_t i
    net = task.net
    if not task.finite:
        return task.first // task.rows + 1
    for i in range(epochs.pairs):
        array = <const copy_t *>&epochs.kept[i]
        if not net.k.all_between(array.at, array.size // net.k.itemsize, -net.largest,
                                 net.largest):
            return -1 - i
    return 0


cdef void save(const epochs_t *epochs) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(epochs.pairs):
        memcpy(epochs.kept[i].copy, epochs.kept[i].at, epochs.kept[i].size)


cdef void restore(const epochs_t *epochs) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(epochs.pairs):
        memcpy(epochs.kept[i].at, epochs.kept[i].copy, epochs.kept[i].size)


cdef void shuffle_rows(const epochs_t *epochs, Py_ssize_t n) noexcept nogil:
    """A new order of the rows, if they have one."""
    cdef Py_ssize_t i
    if epochs.random != NULL:
        for i in range(n):
            epochs.order[i] = i
            epochs.words[i] = epochs.random.next_raw(epochs.random.state)
        swap_places(epochs.order, epochs.words, n)


# --- a loss in Python -----------------------------------------------------------------


cdef void ask(
    const net_t *net, const batch_t *batch, const char *out, char *delta, double scale,
) noexcept nogil:
    """What `loss_pass` needs of E and delta, from a Python function."""
    with gil:
        (<Engine>net.asks).ask(batch, out, delta, scale)


# What a target of one number may be.
cdef tuple WHOLE = (int, np.integer)
cdef tuple NUMBER = (float, int, np.floating, np.integer)


cdef class Engine:
    """Calls the kernels of one network in order.

    Parameters
    ----------
    kernels : module, one build of ``_kernels``
    dtype : "float32" or "float64"
    design : Design, what the network is made of
    parameters : writable flat array, kept alive
    running, folded : writable flat arrays for batch norm, or None without it
    """

    cdef net_t net
    cdef object kernels, kept, workspace, custom_loss, failure
    cdef object kept_state
    cdef list blocks
    cdef object dtype
    cdef char kind
    cdef bint at_once, labels_allowed, asking
    cdef double least_target, most_target
    cdef readonly int n_threads
    cdef Py_ssize_t work
    cdef readonly Py_ssize_t capacity
    cdef readonly bint gathers
    cdef lock_t lock  # owner thread and depth: the owner may enter again

    def __cinit__(self, kernels, dtype, design, parameters, running, folded):
        cdef Py_ssize_t l, at = 0, running_at = 0
        net = &self.net
        net.k = <const kernel_table *>PyCapsule_GetPointer(
            kernels.TABLES[dtype], "bpcore.kernel_table"
        )
        net.L = len(design.sizes) - 1
        net.layers = <layer_t *>PyMem_Calloc(net.L, sizeof(layer_t))
        net.memory = <memory_t *>PyMem_Calloc(net.L, sizeof(memory_t))
        net.groups = <optimizer_t *>PyMem_Calloc(2 * net.L, sizeof(optimizer_t))
        if net.layers == NULL or net.memory == NULL or net.groups == NULL:
            raise MemoryError()
        for l in range(net.L):
            layer = &net.layers[l]
            layer.n_in, layer.n_out = design.sizes[l], design.sizes[l + 1]
            layer.f = <activation_t><int>kernels.ACTIVATIONS[design.activations[l]]
            layer.norm = <normalisation_t><int>kernels.NORMALISATIONS[design.norms[l]]
            layer.dropout = design.dropout[l]
            layer.of_z, layer.keeps_f = design.of_z[l], design.keeps_f[l]
            layer.W_at = at
            layer.b_at = at + layer.n_in * layer.n_out * net.k.itemsize
            layer.gain_at = layer.b_at + layer.n_out * net.k.itemsize
            at = layer.gain_at
            if layer.norm != NOT_NORMALISED:
                at += layer.n_out * net.k.itemsize
            if layer.norm == BATCH_NORM:
                layer.running_at = running_at
                running_at += 2 * layer.n_out * net.k.itemsize
                net.batch_norm = True
            net.widest = max(net.widest, layer.n_out)
        net.size = at // net.k.itemsize
        net.loss_takes_z = design.loss_takes_z
        net.f_last = IDENTITY if design.loss_takes_z else net.layers[net.L - 1].f
        if not design.asks:
            net.loss = <loss_t><int>kernels.LOSSES[design.loss_kernel]
            net.loss_setting = design.loss_setting
        else:
            net.asks = <void *>self
        self.custom_loss = design.loss if design.asks else None
        net.input_noise, net.seed = design.input_noise, design.seed
        net.draws = design.random
        net.by_weights = design.by_weights
        net.parameters = address(parameters, PyBUF_WRITABLE)
        if running is not None:
            net.running = address(running, PyBUF_WRITABLE)
            net.folded = address(folded, PyBUF_WRITABLE)
        self.kernels, self.kept = kernels, (parameters, running, folded)
        self.dtype = parameters.dtype
        self.kind = ord(self.dtype.char)
        net.largest = np.finfo(self.dtype).max
        net.accumulate = 1
        self.blocks = []
        self.n_threads, self.work = 1, WORK

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
        if self.asking:
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

    # --- buffers ----------------------------------------------------------------------

    def use_optimizer(self, optimizer, lr_factors, state, Py_ssize_t state_apart):
        """Update by these settings, each layer at its share of the learning rate.

        A layer whose factor is 0 is frozen.  `state` has the optimizer's arrays one
        after the other, `state_apart` elements from one to the next.
        """
        cdef Py_ssize_t l, i
        cdef dict told_rules = self.kernels.RULES
        cdef optimizer_t before
        net = &self.net
        groups = optimizer.groups()
        net.timed = False
        for l in range(net.L):
            net.layers[l].frozen = lr_factors[l] == 0
            for i in range(2):
                group = &net.groups[2 * l + i]
                before = group[0]
                group[0] = told(groups[i], told_rules)
                carry_powers(group, &before)
                group.lr_factor *= <double>lr_factors[l]
                group.state_apart = state_apart
                net.timed |= not groups[i]["rule"].startswith("plain")
        net.lowest = 0
        while net.lowest < net.L and net.layers[net.lowest].frozen:
            net.lowest += 1
        net.max_norm = optimizer.max_norm or 0
        net.clip_norm = optimizer.clip_norm or 0
        net.prepared_lr = NAN
        net.state = NULL if state is None else address(state, PyBUF_WRITABLE)
        self.kept_state = state
        for i in range(len(self.blocks)):
            clear_frozen(net, net.blocks[i])

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

    @property
    def lr(self):
        """The learning rate of the next steps."""
        return self.net.lr

    @lr.setter
    def lr(self, double lr):
        self.net.lr = lr

    @property
    def steps(self):
        """How many steps the optimizer has made."""
        return self.net.steps

    @steps.setter
    def steps(self, int64_t steps):
        self.net.steps = steps
        self.net.prepared_lr = NAN

    @property
    def layer_steps(self):
        """How many of them each layer has made: fewer where it was frozen."""
        return tuple([self.net.layers[l].steps for l in range(self.net.L)])

    @layer_steps.setter
    def layer_steps(self, steps):
        cdef Py_ssize_t l
        for l in range(self.net.L):
            self.net.layers[l].steps = steps[l]
        self.net.prepared_lr = NAN

    @property
    def seen(self):
        """How many mini-batches it was trained on: what is random depends on it."""
        return self.net.seen

    @seen.setter
    def seen(self, int64_t seen):
        self.net.seen = seen

    def use_threads(self, int n_threads, Py_ssize_t work=WORK):
        """Up to so many, one for every so many multiply-adds of a step."""
        self.n_threads, self.work = n_threads, work
        self.drop_workspace()  # it has room for each

    cdef void drop_workspace(self) noexcept:
        self.capacity, self.gathers = 0, False
        self.carve(NULL, 0, True)
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
        workspace = aligned_zeros(self.carve(NULL, n, gathers), np.uint8)
        self.carve(address(workspace, PyBUF_WRITABLE), n, gathers)
        self.workspace, self.capacity, self.gathers = workspace, n, gathers
        return 0

    cdef Py_ssize_t carve(self, char *start, Py_ssize_t n, bint gathers) noexcept:
        """Point every part into the workspace at `start`; returns its size."""
        net = &self.net
        cdef Py_ssize_t l, size = net.k.itemsize, room
        cdef Py_ssize_t at = self.carve_memory(net.memory, start, n, False)
        cdef char *deltas[2]
        for l in range(2):
            deltas[l] = part(start, &at, n * net.widest * size)
        for l in range(net.L):
            net.memory[l].delta = deltas[(net.L - 1 - l) % 2]
        net.dshift = part(start, &at, net.widest * size)
        net.dgain = part(start, &at, net.widest * size)
        net.E = <double *>part(start, &at, n * sizeof(double))
        net.gathered = NULL
        if gathers:
            net.gathered = part(start, &at, n * net.layers[0].n_in * size)
        net.squares = <double *>part(
            start, &at, ((net.size - 1) // SQUARES + 1) * sizeof(double)
        )
        net.room_size = 0
        for l in range(net.L):
            room = net.k.room(NULL, n, net.layers[l].n_in, net.layers[l].n_out)
            net.room_size = max(net.room_size, room)
        net.rooms = part(start, &at, self.workers(TRAIN, n, True) * net.room_size)
        return at

    cdef Py_ssize_t carve_memory(
        self, memory_t *memory, char *start, Py_ssize_t n, bint everything,
    ) noexcept:
        """The part of it that one mini-batch leaves: what backpropagation reads, or
        everything there is to see.
        """
        cdef Py_ssize_t l, at = 0, size = self.net.k.itemsize, rows
        for l in range(self.net.L):
            layer = &self.net.layers[l]
            here = &memory[l]
            rows = n * layer.n_out * size
            here.a = here.f = part(start, &at, rows)
            if layer.keeps_f or (everything and layer.dropout > 0):
                here.f = part(start, &at, rows)
            if layer.of_z or everything:
                here.z = part(start, &at, rows)
            if layer.norm != NOT_NORMALISED:
                here.hat = part(start, &at, rows)
                here.inverse = part(start, &at, max(n, layer.n_out) * size)
                here.moments = part(start, &at, 2 * layer.n_out * size)
            if everything:
                here.delta = part(start, &at, rows)
        return at

    def tape_size(self, Py_ssize_t n, bint everything=False):
        """Bytes of a tape's memory, and for each layer where what begins in it."""
        cdef Py_ssize_t l, size
        cdef size_t start = ALIGNMENT  # any place but NULL
        cdef memory_t *tape = <memory_t *>PyMem_Calloc(self.net.L, sizeof(memory_t))
        if tape == NULL:
            raise MemoryError()
        try:
            size = self.carve_memory(tape, <char *>start, n, everything)
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
        self.carve_memory(tape, start, n, everything)
        return tape

    cdef int workers(self, what_t what, Py_ssize_t rows, bint many) noexcept:
        """How many workers mini-batches of so many rows are worth, one or many."""
        cdef Py_ssize_t products = 3 if what in (TRAIN, DIFFERENTIATE) else 1
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
            task.data.targets.weights = weight.shape[1] if weight.ndim == 2 else 1
        return task

    cdef int run_task(self, job_t job, task_t *task) except -1:
        """Have the job done by as many workers as it is worth."""
        net = &self.net
        cdef int workers = self.workers(task.what, min(task.rows, task.data.n),
                                        task.data.n - task.first > task.rows)
        if (task.data.n - task.first) * net.size < QUICK:  # sooner done than let go
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
            task.late = False
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

    def predict(self, X, out, bint checks_X):
        """out = a[L] for a[0] = X.

        False, with `out` half written, if it `checks_X` and X is not finite.
        """
        cdef task_t task = self.new_task(PREDICT, X)
        task.looks = checks_X
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
        """Epoch after epoch that nobody looks at, for about a slice of time.

        Parameters
        ----------
        bits : NumPy bit generator that shuffles the rows, which nobody else uses
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
                epochs.workers = self.workers(
                    TRAIN, min(batch_size, task.data.n), task.data.n > batch_size
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

    cdef task_t whole_task(self) except *:
        """Of all parameters, without a mini-batch."""
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net, task.what = &self.net, TRAIN
        task.data.n = task.rows = 1
        self.reserve(1)
        return task

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
        """The loss that `gradients` returns, with no way back.

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
            self.copy_moments(self.net.memory, moments)
        return 0

    cdef int copy_moments(self, const memory_t *memory, moments) except -1:
        cdef Py_ssize_t l
        if moments is None:
            return 0
        cdef char *to = address(moments, PyBUF_WRITABLE)
        for l in range(self.net.L):
            layer = &self.net.layers[l]
            if layer.norm == BATCH_NORM:
                memcpy(to + layer.running_at, memory[l].moments,
                       2 * layer.n_out * self.net.k.itemsize)
        return 0

    def forward(self, X, memory):
        """Everything that a mini-batch leaves, in this memory; X may get noise."""
        cdef task_t task = self.new_task(PREDICT, X)
        address(X, PyBUF_WRITABLE)  # raises if it is not
        with self:
            task.key = key_of(self.net.seed, self.net.seen)
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
                self.copy_moments(task.tape, moments)
            finally:
                PyMem_Free(task.tape)

    def record(
        self, X, y, weight, gradient, dX, moments, memory, losses, d_output,
    ):
        """`gradients`, with everything on the way to them in a tape of that size.

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
            task.key = key_of(self.net.seed, self.net.seen)
            task.tape = self.new_tape(memory, n, True)
            try:
                self.run_task(record, &task)
                memcpy(losses_at, self.net.E, n * sizeof(double))
                self.copy_moments(task.tape, moments)
            finally:
                PyMem_Free(task.tape)
        return mean_loss(&task)

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
            self.net.seen += 1
            if moments is not None:
                self.follow(address(moments), n)

    cdef void follow(self, const char *moments, Py_ssize_t n) noexcept:
        """The running moments follow those of n rows."""
        cdef Py_ssize_t l
        cdef worker_t alone
        memset(&alone, 0, sizeof(worker_t))
        alone.count = 1
        for l in range(self.net.L):
            layer = &self.net.layers[l]
            if layer.norm == BATCH_NORM and not layer.frozen:
                self.net.k.follow(&alone, self.net.running + layer.running_at,
                                  moments + layer.running_at, n, layer.n_out)

    # --- a loss in Python -------------------------------------------------------------

    cdef void ask(
        self, const batch_t *batch, const char *out, char *delta, double scale,
    ) noexcept:
        """E and delta of a mini-batch from the loss function; NaN where it fails."""
        cdef Py_ssize_t i
        self.asking = True
        try:
            self.answer(batch, out, delta, scale)
        except BaseException as error:
            self.failure = error
            self.net.failed = True
            for i in range(batch.n):
                self.net.E[i] = NAN
        finally:
            self.asking = False

    def losses(self, a, y, weight):
        """w E of rows whose outputs and targets lie in arrays, from the loss function.

        The function is called once, for a loss need not be a mean over its rows.
        """
        with self:
            self.asking = True
            try:
                return self.custom_loss.weighted(a, y, weight, 1.0)[0]
            finally:
                self.asking = False

    cdef object rows_of(self, const char *start, dtype, shape):
        """A copy of what lies there: it may be kept."""
        size = int(np.prod(shape)) * dtype.itemsize
        seen = PyMemoryView_FromMemory(<char *>start, size, PyBUF_SIMPLE)
        return np.frombuffer(seen, dtype).reshape(shape).copy()

    cdef int answer(
        self, const batch_t *batch, const char *out, char *delta, double scale,
    ) except -1:
        net = &self.net
        cdef Py_ssize_t i, at, n = batch.n, n_out = net.layers[net.L - 1].n_out
        cdef Py_ssize_t size = n_out * net.k.itemsize
        targets = &batch.targets
        a = self.rows_of(out, self.dtype, (n, n_out))
        if targets.labels != NULL:
            y = np.empty(n, np.int64)
        else:
            y = np.empty((n, n_out), self.dtype)
        w = np.ones(n)
        cdef char *y_at = address(y, PyBUF_WRITABLE)
        cdef double *w_at = <double *>address(w, PyBUF_WRITABLE)
        for i in range(n):
            at = targets.order[i] if targets.order != NULL else i
            if targets.labels != NULL:
                (<int64_t *>y_at)[i] = targets.labels[at]
            else:
                memcpy(y_at + i * size, <const char *>targets.y + at * size, size)
            if targets.weight != NULL:
                w_at[i] = targets.weight[at]
        E, d = self.custom_loss.weighted(a, y, w, scale)
        memcpy(net.E, address(E), n * sizeof(double))
        memcpy(delta, address(d), n * size)
        return 0

    # --- the short way for a mini-batch that needs no conversion ----------------------

    def accept(self, bint at_once, bint labels, double least, double most):
        """What `step_at_once` takes: labels for y, or targets in least .. most."""
        self.at_once, self.labels_allowed = at_once, labels
        self.least_target = max(least, -self.net.largest)
        self.most_target = min(most, self.net.largest)

    cdef bint usable_rows(self, const plain_t *X) noexcept:
        """Whether X is rows of finite numbers."""
        net = &self.net
        return (
            X.kind == self.kind
            and X.width == net.layers[0].n_in
            and X.n > 0
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
        return self.net.k.all_between(y.at, n * n_out, self.least_target,
                                      self.most_target)

    def step_at_once(self, X, y):
        """`train_step` on arrays that can be used where they lie, else None.

        None says only that the long way must be taken: it converts, or raises.
        """
        self.enter()
        try:
            return self.step_if_plain(X, y)
        finally:
            self.leave()

    cdef object step_if_plain(self, X, y):
        cdef plain_t rows = plain(X)
        if not self.at_once or rows.ndim != 2 or not self.usable_rows(&rows):
            return None
        cdef plain_t targets = plain(y)
        if targets.ndim == 0 or not self.usable_targets(&targets, rows.n):
            return None
        return self.step_plain(&rows, &targets)

    def learn_one_at_once(self, x, y):
        """`step_at_once` on a single row, with its label, its target or its targets."""
        self.enter()
        try:
            return self.learn_if_plain(x, y)
        finally:
            self.leave()

    cdef object learn_if_plain(self, x, y):
        cdef plain_t row = plain(x), target
        cdef int64_t label
        cdef float y_f32
        cdef double y_f64
        if not self.at_once or row.ndim != 1:
            return None
        row.n, row.width = 1, row.n
        if not self.usable_rows(&row):
            return None
        target = plain(y)
        if target.ndim == 1 and target.kind != LABEL:
            target.n, target.width, target.ndim = 1, target.n, 2
        elif self.labels_allowed and isinstance(y, WHOLE):
            try:
                label = y
            except OverflowError:
                return None
            target.kind, target.at = LABEL, <char *>&label
            target.ndim, target.n, target.width = 1, 1, 1
        elif isinstance(y, NUMBER):
            try:
                y_f64 = y
            except OverflowError:
                return None
            y_f32 = <float>y_f64
            target.kind = self.kind
            target.at = <char *>&y_f32 if self.kind == c"f" else <char *>&y_f64
            target.ndim, target.n, target.width = 1, 1, 1
        else:
            return None
        if not self.usable_targets(&target, 1):
            return None
        return self.step_plain(&row, &target)

    cdef object step_plain(self, const plain_t *rows, const plain_t *targets):
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net, task.what, task.deadline = &self.net, TRAIN, INFINITY
        task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
        if targets.kind == LABEL:
            task.data.targets.labels = <const int64_t *>targets.at
        else:
            task.data.targets.y = targets.at
        self.run_step(&task)
        return mean_loss(&task)

    def predict_at_once(self, X):
        """The outputs for an array that can be used where it lies, else None."""
        self.enter()
        try:
            return self.predict_if_plain(X)
        finally:
            self.leave()

    cdef object predict_if_plain(self, X):
        cdef plain_t rows = plain(X)
        cdef Py_ssize_t n_out = self.net.layers[self.net.L - 1].n_out
        cdef bint single = rows.ndim == 1
        if single:
            rows.n, rows.width = 1, rows.n
        if rows.ndim == 0 or rows.n > AT_ONCE or not self.usable_rows(&rows):
            return None
        out = np.empty(n_out if single else rows.n * n_out, self.dtype)
        self.predict_plain(&rows, address(out, PyBUF_WRITABLE))
        return out if single else out.reshape(rows.n, n_out)

    def predict_one_at_once(self, x, out):
        """The outputs of a single row in `out`, of their size, else None."""
        self.enter()
        try:
            return self.predict_one_if_plain(x, out)
        finally:
            self.leave()

    cdef object predict_one_if_plain(self, x, out):
        cdef plain_t row = plain(x)
        if row.ndim != 1:
            return None
        row.n, row.width = 1, row.n
        if not self.usable_rows(&row):
            return None
        cdef Py_ssize_t size = self.net.k.itemsize
        cdef char *to = address(out, PyBUF_WRITABLE)
        cdef Py_ssize_t n_out = self.net.layers[self.net.L - 1].n_out
        if row.at < to + n_out * size and to < row.at + row.width * size:
            return None
        self.predict_plain(&row, to)
        return out

    cdef int predict_plain(self, const plain_t *rows, char *out) except -1:
        cdef task_t task
        memset(&task, 0, sizeof(task_t))
        task.net, task.what, task.deadline = &self.net, PREDICT, INFINITY
        task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
        task.out = out
        self.reserve(rows.n)
        return self.run_task(walk, &task)


cdef dict places(const memory_t *memory, size_t start):
    """Where each part of a layer that there is begins, in bytes from `start`."""
    found = {
        "a": <size_t>memory.a, "f": <size_t>memory.f, "z": <size_t>memory.z,
        "hat": <size_t>memory.hat, "inverse": <size_t>memory.inverse,
        "moments": <size_t>memory.moments, "delta": <size_t>memory.delta,
    }
    return {name: at - start for name, at in found.items() if at}


cdef double mean_loss(const task_t *task) noexcept nogil:
    """The mean of w E; NaN if a loss was not finite."""
    if not task.finite:
        return NAN
    return task.sums.total / task.sums.divisor if task.sums.divisor > 0 else 0.0


cdef inline uint64_t high_product(uint64_t a, uint64_t b) noexcept nogil:
    """a * b / 2^64, rounded down."""
    cdef uint64_t low = 0xFFFFFFFF
    cdef uint64_t a0 = a & low, a1 = a >> 32, b0 = b & low, b1 = b >> 32
    cdef uint64_t middle = a1 * b0 + (a0 * b0 >> 32)
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & low)) >> 32)


cdef void swap_places(
    int64_t *order, const uint64_t *words, Py_ssize_t size,
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(size - 1, 0, -1):
        j = <Py_ssize_t>high_product(words[i], <uint64_t>(i + 1))
        order[i], order[j] = order[j], order[i]


def shuffle(int64_t[::1] order, const uint64_t[::1] words):
    """Fisher and Yates's shuffle of `order` in place, from one random word a place.

    For i = n-1 .. 1: swap order[i] and order[j], j = words[i] * (i + 1) / 2^64.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import shuffle
    >>> order = np.arange(3)
    >>> shuffle(order, np.array([0, 0, 2**63], dtype=np.uint64))
    >>> order
    array([2, 0, 1])
    """
    cdef Py_ssize_t size = order.shape[0]
    if size < 2:
        return
    if size < QUICK:  # sooner done than let go
        swap_places(&order[0], &words[0], size)
    else:
        with nogil:
            swap_places(&order[0], &words[0], size)


def noise_key(uint64_t key, uint64_t i):
    """The key of item i of the random stream `key`.

    A mini-batch is an item of the network's seed, and what drops out of layer l the
    item l + 1 of that; its input noise is item 0.

    Examples
    --------
    >>> from bpcore.engine.engine import noise_key
    >>> from bpcore.reference.layers import key_of
    >>> noise_key(1, 2) == key_of(1, 2)
    True
    """
    return key_of(key, i)


def labels_below(const int64_t[::1] labels, int64_t n_out):
    """Whether 0 <= labels[i] < n_out for every i, as a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import labels_below
    >>> labels_below(np.array([0, 2]), 3), labels_below(np.array([0, -1]), 3)
    (True, False)
    """
    cdef Py_ssize_t i
    cdef bint below = True
    with nogil:
        for i in range(labels.shape[0]):
            below &= <uint64_t>labels[i] < <uint64_t>n_out
    return bool(below)
