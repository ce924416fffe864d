"""Pointers into NumPy arrays that need no conversion.

Whatever is used as a pointer comes from `plain`, which reads the array itself: a
subclass may have other attributes.  No Python code may run between a check and the use
of what it checked, since it may change or free the array.
"""


cdef inline char *part(char *start, Py_ssize_t *at, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes after `start` + `at`; `at` moves on to a cache line."""
    cdef char *here = start + at[0] if start != NULL else NULL
    at[0] += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    return here


# An array that needs no conversion; ndim is 0 for any other object.
cdef struct plain_t:
    char *at
    int ndim
    Py_ssize_t n, width  # rows; elements of a row, 1 for a vector
    char kind            # of its elements: f, d, B, ... or LABEL or WORD; or STARVED

cdef enum:
    # No types' letters.
    LABEL = 1    # int64
    WORD = 2     # uint64
    STARVED = 3  # there was no memory to describe it

cdef const PyTypeObject *NDARRAY = <PyTypeObject *>np.ndarray


cdef plain_t plain(object array, int flags=0) noexcept:
    """Describe a C-contiguous, aligned ndarray; it is not kept alive.

    Its elements are numbers of the machine's byte order.  With the flag PyBUF_WRITABLE
    it is writable.
    """
    cdef plain_t it
    cdef Py_buffer view
    memset(&it, 0, sizeof(plain_t))
    if Py_TYPE(array) != NDARRAY:  # the data of a subclass may have another meaning
        return it
    try:
        PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags)
    except MemoryError:
        it.kind = STARVED
        return it
    except Exception:
        return it
    if view.format[1] == 0 and 1 <= view.ndim <= 2 and (
        <size_t>view.buf % <size_t>view.itemsize == 0
    ):
        it.kind = view.format[0]
        if it.kind in (c"l", c"q"):  # C's long and long long
            it.kind = LABEL if view.itemsize == sizeof(int64_t) else 0
        elif it.kind in (c"L", c"Q"):
            it.kind = WORD if view.itemsize == sizeof(uint64_t) else 0
        it.ndim, it.at = view.ndim, <char *>view.buf
        it.n, it.width = view.shape[0], view.shape[1] if view.ndim == 2 else 1
    PyBuffer_Release(&view)
    return it


cdef inline char *own(array) except NULL:
    """The address of an array that the library has just made."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_WRITABLE)
    PyBuffer_Release(&view)
    return <char *>view.buf


cdef plain_t vector(str name, array, char kind, int flags=0) except *:
    """`plain` of an array (n,) of a kind; raises for any other object."""
    cdef plain_t it = plain(array, flags)
    if it.ndim != 1 or it.kind != kind:
        raise_unlike(name, array, it.kind, kind, "(n,)", flags)
    return it


cdef char *numbers(
    str name, array, char kind, Py_ssize_t size, int flags=0,
) except NULL:
    """The address of an array of `size` numbers of a kind; raises for any other."""
    cdef plain_t it = plain(array, flags)
    if it.ndim == 0 or it.kind != kind or it.n * it.width != size:
        raise_unlike(name, array, it.kind, kind, f"{size} numbers", flags)
    return it.at


cdef char *whole(
    str name, array, char kind, tuple shape, int flags=PyBUF_WRITABLE,
) except NULL:
    """The address of an array of a kind and a shape; raises for any other."""
    if type(array) is np.ndarray and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    return numbers(name, array, kind, math.prod(shape), flags)


cdef int raise_unlike(
    str name, array, char found, char kind, str expected, int flags,
) except -1:
    if found == STARVED:
        raise MemoryError(f"there is no memory to read {name}")
    dtypes = {c"f": "float32", c"d": "float64", LABEL: "int64", WORD: "uint64"}
    dtype = dtypes.get(kind, "uint8")
    got = f"a {type(array).__name__}"
    if type(array) is np.ndarray:
        got = f"shape {array.shape}, dtype {array.dtype}"
    writable = "writable " if flags & PyBUF_WRITABLE else ""
    raise ValueError(
        f"{name} must be a {writable}C-contiguous array of dtype {dtype}, {expected}; "
        f"got {got}"
    )


cdef int require_places(
    const int64_t *order, Py_ssize_t first, Py_ssize_t end, Py_ssize_t n,
) except -1:
    """Raise unless order[first], ..., order[end - 1] are rows of n; NULL is right."""
    cdef Py_ssize_t i
    cdef bint within = True
    if order == NULL:
        return 0
    for i in range(first, end):
        within &= <uint64_t>order[i] < <uint64_t>n
    if not within:
        raise ValueError(f"order must have rows of 0 .. {n - 1} only")
    return 0


# Types of a target that is one number.
cdef tuple WHOLE = (int, np.integer)
cdef tuple NUMBER = (float, int, np.floating, np.integer)
# Among NumPy's integers, but no number.
cdef const PyTypeObject *TIMEDELTA = <PyTypeObject *>np.timedelta64


def pinned(*arrays):
    """Weak references to arrays, and to those that own their memory.

    NumPy resizes no array that has one, not even with ``refcheck=False``: pointers into
    it, and views of it, would be left without memory.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import pinned
    >>> X = np.zeros(3)
    >>> pins = pinned(X)
    >>> X.resize(1000, refcheck=False)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: cannot resize an array that references or is referenced...
    """
    # No list comprehension: if the list cannot grow, Cython 3.3 gives up the reference
    # to a new element twice, but not that of a variable.
    cdef list references = []
    for array in arrays:
        base = getattr(array, "base", None)
        if base is None:
            base = array
        if isinstance(base, np.ndarray):
            reference = weakref.ref(base)
            references.append(reference)
    return references


def labels_below(labels, int64_t n_out):
    """Whether 0 <= labels[i] < n_out for every i of an int64 array, as a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import labels_below
    >>> labels_below(np.array([0, 2]), 3), labels_below(np.array([0, -1]), 3)
    (True, False)
    """
    cdef plain_t it = vector("labels", labels, LABEL)
    cdef const int64_t *label = <const int64_t *>it.at
    cdef Py_ssize_t i, n = it.n
    cdef bint below = True
    with nogil:
        for i in range(n):
            below &= <uint64_t>label[i] < <uint64_t>n_out
    return bool(below)
