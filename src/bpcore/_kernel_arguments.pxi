"""Argument checks of the kernels as Python functions, and their arguments in C."""

cdef int require_matrix(
    str name, Py_ssize_t *shape, object rows, object columns,
) except -1:
    """Raise unless `shape` is (rows, columns); a name in either is any size above 0."""
    if shape[0] > 0 and shape[1] > 0:
        if (isinstance(rows, str) or shape[0] == rows) and (
            isinstance(columns, str) or shape[1] == columns
        ):
            return 0
    raise ValueError(
        f"{name} must have shape ({rows}, {columns}), none of them 0; "
        f"got ({shape[0]}, {shape[1]})"
    )


cdef int require_vector(str name, Py_ssize_t got, Py_ssize_t size) except -1:
    if got == size:
        return 0
    raise ValueError(f"{name} must have shape ({size},); got ({got},)")


cdef int require_some(str name, Py_ssize_t size) except -1:
    if size > 0:
        return 0
    raise ValueError(f"{name} must not be empty; got shape (0,)")


cdef int require_positive(str name, double value) except -1:
    if value > 0:
        return 0
    raise ValueError(f"{name} must be above 0; got {value}")


cdef int code(dict names, str what, str name) except -1:
    """The integer of this name in the kernels."""
    if name in names:
        return names[name]
    raise ValueError(f"{what} must be one of {', '.join(names)}; got {name!r}")


# The memory of a caller's array, and whether it is aligned, and written.
cdef struct span_t:
    const char *name
    const char *start
    const char *end
    bint aligned, written


cdef inline bint is_aligned(const real *start) noexcept:
    """Whether an array begins at a multiple of the size of its elements."""
    return <size_t>start % sizeof(real) == 0


cdef inline int require_aligned(str name, const real *start) except -1:
    if is_aligned(start):
        return 0
    raise ValueError(f"{name} must be aligned; got a misaligned array")


cdef inline span_t read(const char *name, const real *start, Py_ssize_t size) noexcept:
    """The span of an array that is only read."""
    cdef span_t span
    span.name, span.written = name, False
    span.start = <const char *>start
    span.aligned = is_aligned(start)
    span.end = span.start + size * sizeof(real)
    return span


cdef inline span_t written(
    const char *name, const real *start, Py_ssize_t size,
) noexcept:
    """The span of an array that is written."""
    cdef span_t span = read(name, start, size)
    span.written = True
    return span


cdef int require_apart(const span_t *spans, int count) except -1:
    """Raise if an array is misaligned, or is written and shares memory with another."""
    cdef int i, j
    for i in range(count):
        if not spans[i].aligned:
            raise ValueError(
                f"{spans[i].name.decode()} must be aligned; got a misaligned array"
            )
        if not spans[i].written:
            continue
        for j in range(count):
            if (i != j and spans[i].start < spans[j].end
                    and spans[j].start < spans[i].end):
                raise ValueError(
                    f"{spans[i].name.decode()} must not share memory with "
                    f"{spans[j].name.decode()}; got arrays that do"
                )
    return 0


cdef int require_same_or_apart(
    const real *out, const real *x, Py_ssize_t size,
) except -1:
    """Raise if an array is misaligned, or `out` shares only a part of x's memory."""
    cdef span_t *spans = [written("out", out, size), read("x", x, size)]
    return require_apart(spans, 1 if out == x else 2)


cdef inline worker_t alone() noexcept:
    """A single worker, without scratch memory."""
    cdef worker_t worker
    memset(&worker, 0, sizeof(worker_t))
    worker.count = 1
    return worker


cdef class _Alone:
    """A single worker with scratch memory for copies or sums."""
    cdef worker_t worker
    cdef void *memory

    def __cinit__(self, Py_ssize_t bytes):
        self.memory = PyMem_Malloc(bytes + 64)
        if self.memory == NULL:
            raise MemoryError()
        self.worker = alone()
        self.worker.room = <char *>((<size_t>self.memory + 63) // 64 * 64)

    def __dealloc__(self):
        PyMem_Free(self.memory)


cdef class _Settings:
    """An optimizer as the kernels read it: the settings of its weights."""
    cdef object optimizer
    cdef const kernels_t *build  # that has prepared them
    cdef double lr
    cdef Py_ssize_t states  # number of its arrays
    cdef optimizer_t c

    def __cinit__(self, optimizer):
        if not hasattr(optimizer, "groups"):
            raise TypeError(
                "optimizer must be settings such as bpcore.SGD(lr=0.1); "
                f"got {optimizer!r}"
            )
        if not isinstance(optimizer.lr, float):
            raise TypeError(
                f"lr of the optimizer must be a number; got {optimizer.lr!r}"
            )
        group = optimizer.groups()[0]
        if group["rule"] not in rules:
            raise ValueError(f"{type(optimizer).__name__} is no step of the kernels'")
        self.optimizer, self.lr, self.build = optimizer, optimizer.lr, build
        self.states, self.c = len(optimizer.states), optimizer_of(group, rules)

    cdef optimizer_t prepared(self, int64_t step) except *:
        """The settings for step 1, 2, ..."""
        if step < 1:
            raise ValueError(f"step must be at least 1; got {step}")
        self.build.f64.prepare(&self.c, self.lr, step)
        return self.c


# The settings that each thread has used last: loops use the same ones again.
recent = threading.local()


cdef _Settings settings_of(optimizer):
    """The settings of an optimizer, read from it unless this thread used them last."""
    cdef _Settings last = getattr(recent, "settings", None)
    if last is not None and last.optimizer is optimizer and last.build == build:
        return last
    cdef _Settings settings = _Settings(optimizer)
    if last is not None and last.build == build:  # often only lr is another
        carry_powers(&settings.c, &last.c)
    recent.settings = settings
    return settings


cdef int require_state(
    str name, _Settings settings, const Py_ssize_t *got, tuple shape,
) except -1:
    """Raise unless an array has that shape for each state; `got` is NULL for None."""
    cdef Py_ssize_t i
    cdef bint fits = got != NULL and got[0] == settings.states
    for i in range(len(shape)):
        fits = fits and got[i + 1] == <Py_ssize_t>shape[i]
    if fits or settings.states == 0:
        return 0
    sizes = tuple([got[i] for i in range(1 + len(shape))]) if got != NULL else None
    raise ValueError(
        f"{name} must have shape {(settings.states, *shape)}, for "
        f"{', '.join(settings.optimizer.states)}; got {sizes}"
    )
