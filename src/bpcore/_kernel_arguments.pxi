"""Argument checks of the kernels as Python functions, and their arguments in C."""

# Cython's check of a buffer's format reads address 0 where a second type follows the
# one that it expects, as in records (its issue 1712).  So every buffer of this module
# is taken by this function, which refuses what is not a single number per element.
cdef extern from *:
    """
    static int bpcore_get_buffer(PyObject *of, Py_buffer *view, int flags) {
        if (PyObject_GetBuffer(of, view, flags) < 0)
            return -1;
        const char *type = view->format;
        if (type == NULL || type[0] == 0 || type[1] == 0)
            return 0;
        type += type[0] == '<' || type[0] == '>' || type[0] == '=' ||
                type[0] == '@' || type[0] == '!' || type[0] == '^';
        type += type[0] == 'Z';
        if (type[0] != 0 && type[1] == 0)
            return 0;
        PyErr_Format(PyExc_ValueError,
                     "Buffer dtype mismatch, expected one number for each element "
                     "but got the format %.100s", view->format);
        PyBuffer_Release(view);
        return -1;
    }
    #define PyObject_GetBuffer bpcore_get_buffer
    """


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


cdef str quoted(value):
    """A value as text of a bounded length."""
    return _quoting.quoted(value)


# Numbers are converted first of all: that may run Python code, which may resize arrays.


cdef int require_number(str name, str kind, value) except -1:
    """Raise for texts and bools, and arrays of them, which convert to numbers."""
    if isinstance(value, (bool, str, bytes)) or (
        getattr(getattr(value, "dtype", None), "kind", "f") not in "iuf"
    ):
        raise TypeError(f"{name} must be a {kind}; got {quoted(value)}")
    return 0


cdef object as_whole(str name, value):
    """A whole number as an int."""
    if type(value) is int:
        return value
    require_number(name, "whole number", value)
    try:
        return _operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number; got {quoted(value)}") from None


cdef int64_t whole_number(
    str name, value, int64_t least, int64_t most=INT64_MAX,
) except? -1:
    """A whole number within bounds."""
    number = as_whole(name, value)
    if least <= number <= most:
        return number
    raise ValueError(
        f"{name} must be a whole number of at least {least} and at most {most}; "
        f"got {quoted(value)}"
    )


cdef uint64_t word(str name, value) except? 0:
    """A whole number of 64 bits."""
    number = as_whole(name, value)
    if 0 <= number <= UINT64_MAX:
        return number
    raise ValueError(
        f"{name} must be a whole number of at least 0 and at most {UINT64_MAX}; "
        f"got {quoted(value)}"
    )


cdef double real_number(str name, value) except? -1:
    """A number as a float."""
    if type(value) is not float:
        require_number(name, "number", value)
    try:
        return value
    except OverflowError:
        pass
    except TypeError:
        raise TypeError(f"{name} must be a number; got {quoted(value)}") from None
    raise ValueError(f"{name} must be within the range of a float; got {quoted(value)}")


cdef double positive(str name, value) except? -1:
    """A number above 0 as a float."""
    cdef double number = real_number(name, value)
    if number > 0:
        return number
    raise ValueError(f"{name} must be above 0; got {number}")


cdef int code(dict names, str what, str name) except -1:
    """The integer of this name in the kernels."""
    if name in names:
        return names[name]
    raise ValueError(f"{what} must be one of {', '.join(names)}; got {quoted(name)}")


# The view that a typed memoryview is of; NULL for None.
cdef extern from *:
    """
    #define BPCORE_VIEW(slice) \
        ((PyObject *)(slice).memview == Py_None ? NULL : &(slice).memview->view)
    """
    const Py_buffer *view_of "BPCORE_VIEW"(...)


cdef extern from "Python.h":
    const unsigned long Py_TPFLAGS_HEAPTYPE
    unsigned long PyType_GetFlags(PyTypeObject *type)


# A caller's array: its name, its memory, and whether it is written.
cdef struct span_t:
    const char *name
    const Py_buffer *view
    bint written


cdef inline span_t read(const char *name, const Py_buffer *view) noexcept:
    """An array that is only read; `view` is NULL for None."""
    cdef span_t span
    span.name, span.view, span.written = name, view, False
    return span


cdef inline span_t written(const char *name, const Py_buffer *view) noexcept:
    """An array that is written."""
    cdef span_t span = read(name, view)
    span.written = True
    return span


cdef inline int require_aligned(const span_t *span) except -1:
    """Raise if an array does not begin at a multiple of the size of its elements."""
    view = span.view
    if view == NULL or <size_t>view.buf % view.itemsize == 0:
        return 0
    raise ValueError(f"{span.name.decode()} must be aligned; got a misaligned array")


cdef int require_usable(const span_t *spans, int count) except -1:
    """Raise if an array is misaligned, or was resized since its view was taken.

    NumPy moves the memory of an array that has views, if it is told to; the conversion
    of another argument may run Python code that does.  After this none may run.
    """
    cdef Py_buffer now
    cdef bint same
    cdef int i
    for i in range(count):
        view = spans[i].view
        if view == NULL:
            continue
        require_aligned(&spans[i])
        PyObject_GetBuffer(<object>view.obj, &now, PyBUF_STRIDES)
        same = now.buf == view.buf and now.len == view.len
        PyBuffer_Release(&now)
        if not same:
            name = spans[i].name.decode()
            raise RuntimeError(f"{name} must not be resized while used")
    return 0


cdef int require_apart(const span_t *spans, int count) except -1:
    """Raise if an array that is written shares memory with another.

    Also if one is misaligned, or moved while Python code gave the buffer of another.
    """
    cdef int i, j
    for i in range(count):
        require_aligned(&spans[i])
        if spans[i].view != NULL and is_python(<object>spans[i].view.obj):
            require_usable(spans, count)
    for i in range(count):
        if not spans[i].written:
            continue
        for j in range(count):
            if i != j and share_memory(spans[i].view, spans[j].view):
                raise ValueError(
                    f"{spans[i].name.decode()} must not share memory with "
                    f"{spans[j].name.decode()}; got arrays that do"
                )
    return 0


cdef inline bint is_python(object it) noexcept:
    """Whether its class may be one of Python, whose methods give its buffer."""
    return PyType_GetFlags(Py_TYPE(it)) & Py_TPFLAGS_HEAPTYPE != 0


cdef inline bint share_memory(const Py_buffer *x, const Py_buffer *y) noexcept:
    """Whether two C-contiguous views share memory; NULL shares none."""
    return (
        x != NULL and y != NULL
        and <char *>x.buf < <char *>y.buf + y.len
        and <char *>y.buf < <char *>x.buf + x.len
    )


cdef int require_same_or_apart(const Py_buffer *out, const Py_buffer *x) except -1:
    """`require_usable` and `require_apart`, but `out` may be x."""
    cdef span_t *spans = [written("out", out), read("x", x)]
    require_usable(spans, 2)
    return require_apart(spans, 1 if out.buf == x.buf else 2)


cdef class _Alone:
    """A single worker with scratch memory for copies or sums.

    While it lives, this thread's arithmetic is in its default state.
    """
    cdef worker_t worker
    cdef arithmetic_t before
    cdef bint begun
    cdef void *memory

    def __cinit__(self, Py_ssize_t bytes=0):
        self.before, self.begun = begin_arithmetic(), True
        self.memory = PyMem_Malloc(bytes + 64)
        if self.memory == NULL:
            raise MemoryError()
        memset(&self.worker, 0, sizeof(worker_t))
        self.worker.count = 1
        self.worker.room = <char *>((<size_t>self.memory + 63) // 64 * 64)

    def __dealloc__(self):
        PyMem_Free(self.memory)
        if self.begun:
            end_arithmetic(self.before)


cdef class _Settings:
    """An optimizer as the kernels read it: the settings of its weights."""
    cdef object optimizer
    cdef const kernels_t *build  # that has prepared them
    cdef double lr
    cdef tuple names        # of its arrays
    cdef Py_ssize_t states  # number of them
    cdef optimizer_t c

    def __cinit__(self, optimizer):
        if not hasattr(optimizer, "groups"):
            raise TypeError(
                "optimizer must be settings such as bpcore.SGD(lr=0.1); "
                f"got {quoted(optimizer)}"
            )
        if isinstance(optimizer.lr, bool) or not isinstance(optimizer.lr, (float, int)):
            raise TypeError(
                f"lr of the optimizer must be a number; got {quoted(optimizer.lr)}"
            )
        if optimizer.rule not in rules:
            raise ValueError(f"{type(optimizer).__name__} is no step of the kernels'")
        group = _groups.groups_of(optimizer, rules)[0]
        self.optimizer, self.lr, self.build = optimizer, optimizer.lr, build
        self.names = _groups.names_of(optimizer, "states")
        self.states, self.c = len(self.names), optimizer_of(group, rules)
        if self.states < states_needed(&self.c):
            raise ValueError(
                f"states of {type(optimizer).__name__} must name at least "
                f"{states_needed(&self.c)} arrays; got {self.states}"
            )

    cdef optimizer_t prepared(self, step) except *:
        """The settings for step 1, 2, ..."""
        self.build.f64.prepare(&self.c, self.lr, whole_number("step", step, 1))
        return self.c


# The settings that each thread has used last: loops use the same ones again.
cdef object recent = _threading.local()


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
    sizes = None
    if got != NULL:
        sizes = [0] * (1 + len(shape))
        for i in range(1 + len(shape)):
            sizes[i] = got[i]
        sizes = tuple(sizes)
    raise ValueError(
        f"{name} must have shape {(settings.states, *shape)}, for "
        f"{', '.join(settings.names)}; got {sizes}"
    )
