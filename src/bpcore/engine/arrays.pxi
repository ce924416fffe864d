"""Pointers into NumPy arrays that need no conversion."""


cdef char *address(object array, int flags=PyBUF_SIMPLE) except? NULL:
    """The address of the data of a C-contiguous array; the caller keeps it alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, flags)
    cdef char *start = <char *>view.buf
    PyBuffer_Release(&view)
    return start


cdef char *whole(
    str name, array, dtype, shape, int flags=PyBUF_WRITABLE,
) except? NULL:
    """The address of a C-contiguous array; raises for another dtype or shape."""
    if type(array) is not np.ndarray or array.dtype != dtype:
        raise TypeError(f"{name} must be an array of dtype {dtype}; got {array!r:.80}")
    if array.shape != shape or not array.flags.c_contiguous:
        raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
    return address(array, flags)


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
    char kind            # of its elements: f, d, LABEL for int64, or another

cdef enum:
    LABEL = 1  # no type's letter

cdef const PyTypeObject *NDARRAY = <PyTypeObject *>np.ndarray


cdef plain_t plain(object array) noexcept:
    """Describe a C-contiguous, aligned ndarray of float32, float64 or int64."""
    cdef plain_t it
    cdef Py_buffer view
    memset(&it, 0, sizeof(plain_t))
    if Py_TYPE(array) != NDARRAY:  # the data of a subclass may have another meaning
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


# Types of a target that is one number.
cdef tuple WHOLE = (int, np.integer)
cdef tuple NUMBER = (float, int, np.floating, np.integer)


def labels_below(labels, int64_t n_out):
    """Whether 0 <= labels[i] < n_out for every i of an int64 array, as a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import labels_below
    >>> labels_below(np.array([0, 2]), 3), labels_below(np.array([0, -1]), 3)
    (True, False)
    """
    cdef const int64_t *label = <const int64_t *>address(labels)
    cdef Py_ssize_t i, n = len(labels)
    cdef bint below = True
    with nogil:
        for i in range(n):
            below &= <uint64_t>label[i] < <uint64_t>n_out
    return bool(below)
