"""Arrays of Python, as far as they can be used where they lie."""


cdef char *address(object array, int flags=PyBUF_SIMPLE) except? NULL:
    """Where the data of a C-contiguous array begins; the caller keeps it alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, flags)
    cdef char *start = <char *>view.buf
    PyBuffer_Release(&view)
    return start


cdef char *whole(str name, array, dtype, shape) except? NULL:
    """Where a writable C-contiguous array of that dtype and shape begins."""
    if type(array) is not np.ndarray or array.dtype != dtype:
        raise TypeError(f"{name} must be an array of dtype {dtype}; got {array!r:.80}")
    if array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    return address(array, PyBUF_WRITABLE)


cdef inline char *part(char *start, Py_ssize_t *at, Py_ssize_t size) noexcept nogil:
    """The next `size` bytes from `start`; `at` moves to the cache line after them."""
    cdef char *here = start + at[0] if start != NULL else NULL
    at[0] += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    return here


# What an array is, as far as it can be used where it lies; ndim 0: it cannot.
cdef struct plain_t:
    char *at
    int ndim
    Py_ssize_t n, width  # rows; elements of a row, 1 for a vector
    char kind            # of its elements: f, d, LABEL for int64, or another

cdef enum:
    LABEL = 1  # no type's letter

cdef const PyTypeObject *NDARRAY = <PyTypeObject *>np.ndarray


cdef plain_t plain(object array) noexcept:
    """What a C-contiguous, aligned ndarray of float32, float64 or int64 is."""
    cdef plain_t it
    cdef Py_buffer view
    memset(&it, 0, sizeof(plain_t))
    if Py_TYPE(array) != NDARRAY:  # a subclass may mean something else by its data
        return it
    try:
        PyObject_GetBuffer(array, &view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
    except Exception:
        return it
    if view.format[1] == 0 and 1 <= view.ndim <= 2 and (
        <size_t>view.buf % <size_t>view.itemsize == 0
    ):
        it.kind = view.format[0]
        if it.kind in (c"l", c"q"):  # C's long and long long
            it.kind = LABEL if view.itemsize == sizeof(int64_t) else 0
        it.ndim, it.at = view.ndim, <char *>view.buf
        it.n, it.width = view.shape[0], view.shape[1] if view.ndim == 2 else 1
    PyBuffer_Release(&view)
    return it


# What a target of one number may be.
cdef tuple WHOLE = (int, np.integer)
cdef tuple NUMBER = (float, int, np.floating, np.integer)


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
