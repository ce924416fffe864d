"""Random numbers: the order of the rows, and the keys of noise."""


cdef inline uint64_t high_product(uint64_t a, uint64_t b) noexcept nogil:
    """a * b / 2^64, rounded down."""
    cdef uint64_t low = 0xFFFFFFFF
    cdef uint64_t a0 = a & low, a1 = a >> 32, b0 = b & low, b1 = b >> 32
    cdef uint64_t middle = a1 * b0 + (a0 * b0 >> 32)
    return a1 * b1 + (middle >> 32) + ((a0 * b1 + (middle & low)) >> 32)


cdef void swap_places(
    int64_t *order, const uint64_t *words, Py_ssize_t size,
) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(size - 1, 0, -1):
        j = <Py_ssize_t>high_product(words[i], <uint64_t>(i + 1))
        order[i], order[j] = order[j], order[i]


def shuffle(order, words):
    """Fisher and Yates's shuffle of `order` in place, by a random word per element.

    order is an int64 array, words one of uint64 and the same length.

    For i = n-1 .. 1: swap order[i] and order[j], j = words[i] * (i + 1) / 2^64.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.engine.engine import shuffle
    >>> order = np.arange(3)
    >>> shuffle(order, np.array([0, 0, 2**63], dtype=np.uint64))
    >>> order
    array([2, 0, 1])
    """
    cdef plain_t places = vector("order", order, LABEL, PyBUF_WRITABLE)
    cdef Py_ssize_t size = places.n
    cdef const uint64_t *word = <const uint64_t *>numbers("words", words, WORD, size)
    cdef int64_t *place = <int64_t *>places.at
    if size < QUICK:  # cheaper than releasing the GIL
        swap_places(place, word, size)
    else:
        with nogil:
            swap_places(place, word, size)


def noise_key(uint64_t key, uint64_t i):
    """The key of item i of the random stream `key`.

    A mini-batch is an item of the network's seed; the input noise of a mini-batch is
    item 0 of its key, and the dropout of layer l is item l + 1.

    Examples
    --------
    >>> from bpcore.engine.engine import noise_key
    >>> from bpcore.reference.layers import key_of
    >>> noise_key(1, 2) == key_of(1, 2)
    True
    """
    return key_of(key, i)
