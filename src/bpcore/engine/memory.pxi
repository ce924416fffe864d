"""Memory of the library's own arrays, and scratch memory."""


cdef extern from "csrc/memory.h" nogil:
    void prefer_huge_pages "bpcore_prefer_huge_pages"(void *start, size_t size)


cdef enum:
    # Bytes above which the position of an array relative to others matters.
    LARGE = 1 << 18
    PAGE = 4096


@cython.final
cdef class _Memory:
    """Zeros on a cache line, freed with this object.

    An array over it does not own its data: `ndarray.resize` cannot free or move it.
    """

    cdef void *raw
    cdef char *start
    cdef Py_ssize_t size

    def __dealloc__(self):
        PyMem_Free(self.raw)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.start, self.size, 0, flags)

    def __releasebuffer__(self, Py_buffer *view):
        pass


def zeroed(Py_ssize_t size, Py_ssize_t at=0):
    """`size` bytes, all 0, that begin on a cache line; no Python code runs.

    Large memory begins `at` bytes past a multiple of 4096: the update reads weights and
    state at the same pace, and they must not lie in the same cache sets.

    Raises
    ------
    MemoryError
        If there is not so much memory.

    Examples
    --------
    >>> from bpcore.engine.engine import zeroed
    >>> bytes(zeroed(3))
    b'\\x00\\x00\\x00'
    """
    cdef Py_ssize_t unit = ALIGNMENT
    cdef _Memory memory = _Memory.__new__(_Memory)
    if size >= LARGE:
        unit = PAGE
    else:
        at = 0
    if 0 <= size < PY_SSIZE_T_MAX - 2 * PAGE:
        memory.raw = PyMem_Calloc(size + at + unit, 1)
    if memory.raw == NULL:
        raise MemoryError(f"no memory for {size} bytes")
    prefer_huge_pages(memory.raw, size + at + unit)
    memory.start = <char *>((<size_t>memory.raw + unit - 1) // unit * unit + at)
    memory.size = size
    return memory
