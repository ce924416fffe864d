"""A loss that is a Python function."""


cdef void evaluate_custom_loss(
    Engine engine, const batch_t *batch, const char *out, char *delta, double scale,
) noexcept:
    """E and delta of a mini-batch from the loss function; E is NaN if it raises."""
    cdef Py_ssize_t i
    engine.in_custom_loss = True
    try:
        call_custom_loss(engine, batch, out, delta, scale)
    except BaseException as error:
        engine.failure = error
        engine.net.failed = True
        for i in range(batch.n):
            engine.net.E[i] = NAN
    finally:
        engine.in_custom_loss = False


cdef void report_layer(Engine engine, Py_ssize_t l) noexcept:
    """Call the function that layers are reported to; an error ends the step."""
    try:
        engine.report(l)
    except BaseException as error:
        engine.failure = error
        engine.net.failed = True


cdef int call_custom_loss(
    Engine engine, const batch_t *batch, const char *out, char *delta, double scale,
) except -1:
    net = &engine.net
    cdef Py_ssize_t i, at, n = batch.n, n_out = net.layers[net.L - 1].n_out
    cdef Py_ssize_t size = n_out * net.k.itemsize
    cdef const char *E_at
    cdef const char *d_at
    targets = &batch.targets
    a = rows_of(out, engine.dtype, (n, n_out))
    if targets.labels != NULL:
        y = np.empty(n, np.int64)
    else:
        y = np.empty((n, n_out), engine.dtype)
    w = np.ones(n)
    cdef char *y_at = own(y)
    cdef double *w_at = <double *>own(w)
    for i in range(n):
        at = targets.order[i] if targets.order != NULL else i
        if targets.labels != NULL:
            (<int64_t *>y_at)[i] = targets.labels[at]
        else:
            memcpy(y_at + i * size, <const char *>targets.y + at * size, size)
        if targets.weight != NULL:
            w_at[i] = targets.weight[at]
    E, d = engine.custom_loss.weighted(a, y, w, scale)
    engine.require_inputs_unmoved()
    E_at = numbers("values of the loss", E, c"d", n)
    d_at = numbers("derivatives of the loss", d, engine.kind, n * n_out)
    memcpy(net.E, E_at, n * sizeof(double))
    memcpy(delta, d_at, n * size)
    return 0


cdef object rows_of(const char *start, dtype, shape):
    """A new array with a copy of the numbers at `start`; the caller may keep it."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = PyMemoryView_FromMemory(<char *>start, size, PyBUF_SIMPLE)
    return np.frombuffer(memory, dtype).reshape(shape).copy()
