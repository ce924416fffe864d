"""Arrays between pages that cannot be read or written: a step outside is a crash."""

import ctypes
import mmap

import numpy as np

PAGE = mmap.PAGESIZE


def guarded(size, dtype, at_end=True):
    """An array (size,) whose last element, or first, is next to such a page.

    Parameters
    ----------
    size : int
    dtype : dtype
    at_end : bool
        Whether it ends where the readable memory ends, else it begins where that does.
    """
    dtype = np.dtype(dtype)
    n_bytes = size * dtype.itemsize
    memory = mmap.mmap(-1, (-(-n_bytes // PAGE) + 2) * PAGE)
    raw = np.frombuffer(memory, np.uint8)
    _forbid(raw.ctypes.data)
    _forbid(raw.ctypes.data + raw.size - PAGE)
    inside = raw[PAGE:-PAGE]
    inside = inside[inside.size - n_bytes :] if at_end else inside[:n_bytes]
    return inside.view(dtype)


def guarded_copy(array, at_end=True):
    """A copy of an array in such memory, in C order."""
    copy = guarded(array.size, array.dtype, at_end).reshape(array.shape)
    copy[...] = array
    return copy


def _forbid(address):
    """Make the page at this address unreadable."""
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    if mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), 0):
        raise OSError(ctypes.get_errno(), "mprotect")
