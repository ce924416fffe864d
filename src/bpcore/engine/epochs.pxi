"""Epochs one after the other, without Python in between."""


# NumPy's interface of bit generators for C (numpy/random/bitgen.h).
cdef struct bitgen_t:
    void *state
    uint64_t (*next_uint64)(void *state) noexcept nogil
    unsigned int (*next_uint32)(void *state) noexcept nogil
    double (*next_double)(void *state) noexcept nogil
    uint64_t (*next_raw)(void *state) noexcept nogil


cdef enum:
    # Most arrays of a state that must stay finite.
    MOST_ARRAYS = 3


# An array, and a copy of it.
cdef struct copy_t:
    char *at
    char *copy
    Py_ssize_t size


cdef struct epochs_t:
    Py_ssize_t count                # most epochs
    Py_ssize_t done                 # finished epochs
    Py_ssize_t batch                # see diverged()
    double *losses
    double *seconds
    double deadline
    int workers
    bitgen_t *random                # NULL: the rows are not shuffled
    int64_t *order                  # of the rows
    const int64_t *orders           # that of each epoch, or NULL
    uint64_t *words                 # random words for the order
    Py_ssize_t pairs                # number of arrays that are copied
    copy_t kept[MOST_ARRAYS]        # copies of them before the epoch


cdef Py_ssize_t carve_epochs(
    char *start, epochs_t *epochs, Py_ssize_t n,
) noexcept nogil:
    """Set all pointers into memory at `start`; returns its size in bytes."""
    cdef Py_ssize_t i, at = 0
    if epochs.random != NULL:
        epochs.order = <int64_t *>part(start, &at, n * sizeof(int64_t))
        epochs.words = <uint64_t *>part(start, &at, n * sizeof(uint64_t))
    for i in range(epochs.pairs):
        epochs.kept[i].copy = part(start, &at, epochs.kept[i].size)
    return at


cdef void walk_epochs(task_t *task, epochs_t *epochs) noexcept nogil:
    """Epochs one after the other, until the time ends or one diverges."""
    net = task.net
    cdef double start = seconds_now(), end
    cdef int64_t seen, used
    while epochs.done < epochs.count:
        seen = net.seen[0]
        save(epochs)
        shuffle_rows(epochs, task.data.n)
        if epochs.orders != NULL:
            task.data.targets.order = epochs.orders + epochs.done * task.data.n
        memset(&task.sums, 0, sizeof(sums_t))
        task.sums.accumulate = net.accumulate
        task.first, task.out_of_time, task.deadline = 0, False, INFINITY
        run_job(epochs.workers, net.rooms, net.room_size, walk, task)
        epochs.batch = diverged(task, epochs)
        if epochs.batch != 0:
            restore(epochs)
            forget(net)
            count_steps(net, -task.sums.steps)
            net.seen[0] = seen
            return
        if task.rates != NULL:
            used = min(task.sums.steps, task.n_rates - 1)
            task.rates += used
            task.n_rates -= used
        end = seconds_now()
        epochs.losses[epochs.done] = mean_loss(task)
        epochs.seconds[epochs.done] = end - start
        epochs.done += 1
        if end >= epochs.deadline:
            return
        start = end


cdef Py_ssize_t diverged(const task_t *task, const epochs_t *epochs) noexcept nogil:
    """Number of the mini-batch whose loss is not finite, or -1 - array, or 0."""
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
    """Shuffle the rows, unless they are used as they lie."""
    cdef Py_ssize_t i
    if epochs.random != NULL:
        for i in range(n):
            epochs.order[i] = i
            epochs.words[i] = epochs.random.next_raw(epochs.random.state)
        swap_places(epochs.order, epochs.words, n)
