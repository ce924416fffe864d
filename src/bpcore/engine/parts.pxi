"""Steps that several processes make together.

Each computes the gradients of some mini-batches of a step, and makes the step on a part
of the parameters, for which alone it has the optimizer's state: net.state is then the
address that the state of the first parameter would have.
"""


cdef void report_pass(net_t *net, const worker_t *worker, Py_ssize_t l) noexcept nogil:
    """Report to Python that the gradients of layer l and those above are stored."""
    cdef int forks = count_forks()
    if worker.index == 0 and not net.failed:
        with gil:
            report_layer(<Engine>net.reports_to, l)
        begin_arithmetic()  # again: the report may have changed it
        go_on(worker, forks)
    barrier_wait(worker)


cdef void differentiate_in_step(void *task_, const worker_t *worker) noexcept nogil:
    """The gradient of sum(w E) of one mini-batch of a step of several."""
    task = <task_t *>task_
    net = task.net
    cdef double total = 0, weight
    cdef bint finite = True
    cdef batch_t batch = rows(net, worker, &task.data, task.first, task.rows)
    barrier_wait(worker)
    if net.input_noise > 0:
        add_noise(net, worker, &batch, task.key)
        barrier_wait(worker)
    weight = weight_sum(net, &batch)
    if weight > 0:
        finite = losses_pass(net, worker, &batch, task.key, 1, &total)
        if finite:
            learn_pass(net, worker, &batch, task.key, task.gradient)
    if worker.index == 0:
        task.sums.total, task.sums.divisor = total, mean_divisor(net, &batch, weight)
        task.sums.present, task.finite = weight > 0, finite


cdef void descend_part(void *task_, const worker_t *worker) noexcept nogil:
    """One optimizer step on the part, from a stored gradient times a factor."""
    task = <task_t *>task_
    net = task.net
    if worker.index == 0:
        prepare(net, task, &task.data, 0)
    if task.factor != 1:
        net.k.scale(worker, task.gradient + net.part_at, task.factor,
                    (net.part_end - net.part_at) // net.k.itemsize)
    barrier_wait(worker)
    descend_pass(net, worker, task.gradient)


cdef void limit_all(void *task_, const worker_t *worker) noexcept nogil:
    """Limit the norms of the units of all layers that are not frozen."""
    cdef Py_ssize_t l
    net = (<task_t *>task_).net
    for l in range(net.L):
        if not net.layers[l].frozen:
            limit_pass(net, worker, l)
