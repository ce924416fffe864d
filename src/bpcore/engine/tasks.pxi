"""The work of each worker of a task; a worker does its part of every kernel's work."""


cdef inline void prepare(
    net_t *net, const task_t *task, const batch_t *batch, int64_t steps,
) noexcept nogil:
    """Prepare the optimizer for the next step, after `steps` steps of this task."""
    cdef double lr = net.lr
    cdef Py_ssize_t l
    cdef double divisor
    if net.ridge.used:
        divisor = mean_divisor(net, batch, weight_sum(net, batch))
        for l in range(net.L):
            net.groups[2 * l].weight_decay = net.ridge.alpha / divisor
        net.prepared_lr = NAN
    if task.rates != NULL:
        lr = task.rates[min(steps, task.n_rates - 1)]
    if net.timed or lr != net.prepared_lr:
        prepare_groups(net, lr, steps)


cdef void prepare_groups(net_t *net, double lr, int64_t steps) noexcept nogil:
    """Compute the numbers of every parameter group that depend on rate and step."""
    cdef Py_ssize_t i
    for i in range(2 * net.L):
        if not net.layers[i // 2].frozen:
            net.k.prepare(&net.groups[i], lr, net.layer_steps[i // 2] + steps + 1)
    if net.scale_factor > 0:
        net.k.prepare(&net.groups[2 * net.L], lr, net.steps[0] + steps + 1)
    net.prepared_lr = lr


cdef void count_steps(net_t *net, int64_t steps) noexcept nogil:
    """Add to the counts of steps: of all, and of every layer that is not frozen."""
    cdef Py_ssize_t l
    net.steps[0] += steps
    for l in range(net.L):
        if not net.layers[l].frozen:
            net.layer_steps[l] += steps


cdef Py_ssize_t batch_rows(const task_t *task, Py_ssize_t first) noexcept nogil:
    """The number of rows of the mini-batch that begins at row `first`."""
    cdef Py_ssize_t left = task.data.n - first
    if task.what == TRAIN and task.net.batch_norm and left == task.rows + 1:
        return left
    return min(task.rows, left)


cdef Py_ssize_t most_rows(const task_t *task) noexcept nogil:
    """The number of rows of the largest mini-batch."""
    cdef bint joined = task.what == TRAIN and task.net.batch_norm
    return min(task.rows, task.data.n - joined) + joined


cdef void walk(void *task_, const worker_t *worker) noexcept nogil:
    """Mini-batch after mini-batch from row `first` on, until the rows or the time end.

    Each sum is one chain of additions, which every worker computes for itself, so that
    no bit depends on when the time ended.
    """
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    cdef batch_t batch
    cdef Py_ssize_t n, first = task.first, batches = 0
    cdef Py_ssize_t clock_every = 1 if task.rows * net.size > QUICK else CLOCK_EVERY
    cdef bint training = task.what not in (PREDICT, EVALUATE)
    cdef bint finite = True, out_of_time = False
    cdef sums_t sums = task.sums
    cdef uint64_t key
    cdef double divisor
    cdef char *out = net.memory[net.L - 1].a
    if net.folded != NULL and not training:
        fold_pass(net, worker)
    if net.packed.makes:
        pack_pass(net, worker)
    while first < task.data.n and finite and not out_of_time:
        n = batch_rows(task, first)
        batch = rows(net, worker, &task.data, first, n)
        if worker.index == 0:
            net.skips = n == 1 and task.what != DIFFERENTIATE and may_skip(net)
            net.packed.used = net.packed.made and not training and n >= PACK_ROWS
            task.key = key_of(net.seed, net.seen[0] + batches) if net.draws else 0
            if task.what == TRAIN:
                prepare(net, task, &batch, sums.steps)
            if (batches + 1) % clock_every == 0:
                task.out_of_time = seconds_now() >= task.deadline
            if batches + 1 == task.most:
                task.out_of_time = True
        if task.checks_X:
            check_X(task, worker, &batch)
        barrier_wait(worker)
        out_of_time, finite, key = task.out_of_time, not task.X_not_finite, task.key
        if not finite:
            break
        if training and net.input_noise > 0:
            add_noise(net, worker, &batch, key)
            barrier_wait(worker)
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
            if task.what == DIFFERENTIATE and finite:
                backward_pass(net, worker, net.memory, batch.X, n, key, task.gradient,
                              task.dX, False)
        if finite:
            first += n
            batches += 1
    if worker.index == 0:
        net.skips = net.packed.used = False
        task.first, task.finite, task.sums = first, finite, sums
        task.batches = batches
        if task.what == TRAIN:
            net.seen[0] += batches
            count_steps(net, sums.steps)


cdef void check_X(
    task_t *task, const worker_t *worker, const batch_t *batch,
) noexcept nogil:
    """Set X_not_finite if X is not; called for each mini-batch, just before its use."""
    net = task.net
    cdef Py_ssize_t first, end, n_in = net.layers[0].n_in
    worker_range(worker, batch.n, 1, &first, &end)
    if not net.k.all_between(batch.X + first * n_in * net.k.itemsize,
                             (end - first) * n_in, -net.largest, net.largest):
        task.X_not_finite = True


cdef double mean_loss(const task_t *task) noexcept nogil:
    """The mean of w E; NaN if a loss was not finite."""
    if not task.finite:
        return NAN
    return task.sums.total / task.sums.divisor if task.sums.divisor > 0 else 0.0


cdef void tape_forward(void *task_, const worker_t *worker) noexcept nogil:
    """The forward pass, stored in the tape; noise is added to X in place."""
    task = <task_t *>task_
    net = task.net
    last = &net.layers[net.L - 1]
    add_noise_in_place(task, worker)
    forward_pass(net, worker, task.tape, task.data.X, task.tape[net.L - 1].a,
                 task.data.n, last.f, True, task.key)


cdef void tape_backward(void *task_, const worker_t *worker) noexcept nogil:
    """All derivatives, from the tape and dE/da[L], which lies in its last delta."""
    task = <task_t *>task_
    net = task.net
    times_derivative_pass(net, worker, task.tape, net.L - 1, task.data.n)
    scaled_rows(net, worker, task.data.X, task.data.n)
    barrier_wait(worker)
    backward_pass(net, worker, task.tape, task.data.X, task.data.n, task.key,
                  task.gradient, task.dX, False)


cdef void record(void *task_, const worker_t *worker) noexcept nogil:
    """Both passes, stored in the tape; noise is added to X in place."""
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
    if net.failed:
        return
    if worker.index == 0:
        memcpy(task.out, output.delta, task.data.n * last.n_out * net.k.itemsize)
    barrier_wait(worker)
    if net.loss_takes_z:
        net.k.activate(worker, output.a, output.z, task.data.n, last.n_out, last.f)
    else:
        times_derivative_pass(net, worker, task.tape, net.L - 1, task.data.n)
    barrier_wait(worker)
    backward_pass(net, worker, task.tape, task.data.X, task.data.n, task.key,
                  task.gradient, task.dX, False)
    if worker.index == 0:
        task.sums.total, task.sums.divisor = total, divisor
        task.finite = isfinite(total)


cdef void add_noise_in_place(task_t *task, const worker_t *worker) noexcept nogil:
    """Add the noise of training to X in place."""
    net = task.net
    if net.input_noise > 0:
        net.k.add_noise(worker, <char *>task.data.X, task.data.X, key_of(task.key, 0),
                        net.input_noise, task.data.n, net.layers[0].n_in)
        barrier_wait(worker)


cdef void descend(void *task_, const worker_t *worker) noexcept nogil:
    """One optimizer step on all parameters from a stored gradient."""
    task = <task_t *>task_
    net = task.net
    if worker.index == 0:
        prepare(net, task, &task.data, 0)
    barrier_wait(worker)
    clip_pass(net, worker, task.gradient, 1)
    descend_pass(net, worker, task.gradient)


cdef void flush_waiting(void *task_, const worker_t *worker) noexcept nogil:
    """A step from the accumulated gradients."""
    task = <task_t *>task_
    net = task.net
    cdef sums_t sums = task.sums
    if worker.index == 0:
        prepare(net, task, &task.data, 0)
    barrier_wait(worker)
    flush_pass(net, worker, &sums)


# The worker of a task that is run without others.
cdef worker_t alone
memset(&alone, 0, sizeof(worker_t))
alone.count = 1


cdef void follow_stored(net_t *net, const char *moments, Py_ssize_t n) noexcept:
    """Update the running moments by stored moments of n rows."""
    cdef Py_ssize_t l
    cdef arithmetic_t before = begin_arithmetic()
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.norm == BATCH_NORM and not layer.frozen:
            net.k.follow(&alone, net.running + layer.running_at,
                         moments + layer.running_at, n, layer.n_out)
    end_arithmetic(before)


cdef void copy_moments(net_t *net, const memory_t *memory, char *to) noexcept:
    """Copy the moments of a mini-batch into an array."""
    cdef Py_ssize_t l
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.norm == BATCH_NORM:
            memcpy(to + layer.running_at, memory[l].moments,
                   2 * layer.n_out * net.k.itemsize)
