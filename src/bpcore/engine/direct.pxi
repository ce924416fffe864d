"""Steps and predictions of arrays that need no conversion, checked in C.

Each function returns None for arguments that must be checked or converted in Python.
"""


cdef bint usable_rows(Engine engine, const plain_t *X) noexcept:
    """Whether X is rows of finite numbers that a kernel can read."""
    net = &engine.net
    return (
        X.kind == engine.kind
        and X.width == net.layers[0].n_in
        and X.n > 0
        and outside(engine, X)
        and net.k.all_between(X.at, X.n * X.width, -net.largest, net.largest)
    )


cdef bint outside(Engine engine, const plain_t *it) noexcept:
    """Whether an array shares no memory with the parameters."""
    cdef Py_ssize_t size = it.n * it.width * (
        sizeof(int64_t) if it.kind == LABEL else engine.net.k.itemsize
    )
    cdef char *end = engine.net.parameters + engine.net.size * engine.net.k.itemsize
    return it.at + size <= engine.net.parameters or end <= it.at


cdef bint usable_targets(Engine engine, const plain_t *y, Py_ssize_t n) noexcept:
    """Whether y is valid labels or targets of n rows for the loss."""
    cdef Py_ssize_t i, n_out = engine.net.layers[engine.net.L - 1].n_out
    cdef bint fits = True
    if y.n != n or not outside(engine, y):
        return False
    if y.kind == LABEL:
        if not engine.labels_allowed or y.ndim != 1:
            return False
        for i in range(n):
            fits &= <uint64_t>(<const int64_t *>y.at)[i] < <uint64_t>n_out
        return fits
    if y.kind != engine.kind or y.width != n_out:
        return False
    if y.ndim == 1 and engine.labels_allowed:
        return False
    return engine.net.k.all_between(y.at, n * n_out, engine.least_target,
                                    engine.most_target)


cdef object step_if_plain(Engine engine, X, y):
    cdef plain_t rows = plain(X)
    if not engine.at_once or rows.ndim != 2 or not usable_rows(engine, &rows):
        return None
    cdef plain_t targets = plain(y)
    if targets.ndim == 0 or not usable_targets(engine, &targets, rows.n):
        return None
    return step_plain(engine, &rows, &targets)


cdef object learn_if_plain(Engine engine, x, y):
    cdef plain_t row, target
    cdef int64_t label = 0
    cdef float y_f32
    cdef double y_f64 = 0
    cdef bint is_label = False, is_array = Py_TYPE(y) == NDARRAY
    # First, since it may run Python code, which may change the network and x.
    try:
        if is_array:
            pass
        elif Py_TYPE(y) == TIMEDELTA:
            return None
        elif engine.labels_allowed and isinstance(y, WHOLE):
            is_label, label = True, y
        elif isinstance(y, NUMBER):
            y_f64 = y
        else:
            return None
    except OverflowError:
        return None
    row = plain(x)
    if not engine.at_once or row.ndim != 1:
        return None
    row.n, row.width = 1, row.n
    if not usable_rows(engine, &row):
        return None
    if is_array:
        target = plain(y)
        if target.ndim != 1 or target.kind == LABEL:
            return None
        target.n, target.width, target.ndim = 1, target.n, 2
    else:
        y_f32 = <float>y_f64
        target.ndim, target.n, target.width = 1, 1, 1
        target.kind = LABEL if is_label else engine.kind
        target.at = <char *>&y_f32 if engine.kind == c"f" else <char *>&y_f64
        if is_label:
            target.at = <char *>&label
    if not usable_targets(engine, &target, 1):
        return None
    return step_plain(engine, &row, &target)


cdef object step_plain(Engine engine, const plain_t *rows, const plain_t *targets):
    cdef task_t task
    memset(&task, 0, sizeof(task_t))
    task.net, task.what, task.deadline = &engine.net, TRAIN, INFINITY
    task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
    if targets.kind == LABEL:
        task.data.targets.labels = <const int64_t *>targets.at
    else:
        task.data.targets.y = targets.at
    engine.run_step(&task)
    return mean_loss(&task)


cdef object predict_if_plain(Engine engine, X):
    cdef plain_t rows = plain(X)
    cdef Py_ssize_t n_out = engine.net.layers[engine.net.L - 1].n_out
    cdef bint single = rows.ndim == 1
    if single:
        rows.n, rows.width = 1, rows.n
    if rows.ndim == 0 or rows.n > AT_ONCE or not usable_rows(engine, &rows):
        return None
    out = np.empty(n_out if single else rows.n * n_out, engine.dtype)
    predict_plain(engine, &rows, own(out))
    return out if single else out.reshape(rows.n, n_out)


cdef object predict_one_if_plain(Engine engine, x, out):
    cdef plain_t row = plain(x)
    if row.ndim != 1:
        return None
    row.n, row.width = 1, row.n
    if not usable_rows(engine, &row):
        return None
    cdef Py_ssize_t size = engine.net.k.itemsize
    cdef Py_ssize_t n_out = engine.net.layers[engine.net.L - 1].n_out
    # `out` is the network's own array; its bytes are enough to know.
    cdef char *to = bytes_of(out, n_out * size)
    if to == NULL or (row.at < to + n_out * size and to < row.at + row.width * size):
        return None
    predict_plain(engine, &row, to)
    return out


cdef char *bytes_of(out, Py_ssize_t size) noexcept:
    """The address of a writable ndarray of so many bytes; NULL for any other."""
    cdef Py_buffer view
    if Py_TYPE(out) != NDARRAY:
        return NULL
    try:
        PyObject_GetBuffer(out, &view, PyBUF_WRITABLE)
    except Exception:
        return NULL
    PyBuffer_Release(&view)
    return <char *>view.buf if view.len == size else NULL


cdef int predict_plain(Engine engine, const plain_t *rows, char *out) except -1:
    cdef task_t task
    memset(&task, 0, sizeof(task_t))
    task.net, task.what, task.deadline = &engine.net, PREDICT, INFINITY
    task.data.n, task.data.X, task.rows = rows.n, rows.at, rows.n
    task.out = out
    engine.reserve(rows.n)
    engine.run_task(walk, &task)
    return 0
