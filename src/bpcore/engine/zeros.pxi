"""Whether rows of W whose input is 0 may be skipped: only if W is known to be finite.

The kernels that skip them (csrc/sparse_row.h) have the same bits for finite W only, and
users may write into the parameters at any time, through arrays that `Engine.lend`
hands out.  Each of these is over a _Loan, which every view of it keeps alive: while one
is open nothing is skipped, and after the last the parameters are checked again.
"""


cdef enum:
    # One-row calls before the parameters are checked, as a check takes about as long as
    # a call; and calls before they are checked again after they were not finite, and
    # after a step from a row that is not mostly zeros.
    BEFORE_CHECK = 2
    AFTER_FAILURE = 1000
    AFTER_DENSE = 100
    # Fewest elements of a layer's W for which a check pays: BPCORE_SPARSE_SIZE.
    SPARSE_SIZE = 1024


cdef extern from "csrc/loans.h" nogil:
    ctypedef struct loans_t "bpcore_loans":
        pass
    void lend "bpcore_lend"(loans_t *loans)
    void give_back "bpcore_return"(loans_t *loans)
    bint none_open "bpcore_none_open"(loans_t *loans, long *made)


@cython.final
cdef class _Loans:
    """The loans of one engine's parameters."""

    cdef loans_t counts


@cython.final
@cython.no_gc
cdef class _Loan:
    """The memory of the parameters, lent for as long as this object lives."""

    cdef _Loans loans
    cdef object memory

    def __cinit__(self, _Loans loans, memory):
        self.loans, self.memory = loans, memory
        lend(&loans.counts)

    def __dealloc__(self):
        give_back(&self.loans.counts)

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, address(self.memory, PyBUF_WRITABLE),
                          self.memory.nbytes, 0, flags)

    def __releasebuffer__(self, Py_buffer *view):
        pass


cdef class _Finite:
    """Whether the parameters of a network are known to be finite."""

    cdef _Loans loans
    cdef bint known, pays
    cdef int calls      # one-row calls since the parameters changed
    cdef long made      # loans that had been made before the last check

    def __cinit__(self):
        self.loans = _Loans()

    cdef int describe(self, const net_t *net) noexcept:
        """Note whether any layer is large enough.  Batch norm's folded weights are
        written at each call."""
        cdef Py_ssize_t l
        for l in range(net.L):
            self.pays |= net.layers[l].n_in * net.layers[l].n_out >= SPARSE_SIZE
        self.pays &= not net.batch_norm
        return 0

    cdef void forget(self) noexcept:
        """Note that the parameters have changed."""
        self.known = False
        self.calls = min(self.calls, 0)

    cdef void forget_for_long(self) noexcept:
        """Note that they have changed by a dense row; the next will be dense too."""
        self.known, self.calls = False, -AFTER_DENSE

    cdef bint check(self, const net_t *net) noexcept:
        """Whether all are finite, for a one-row call; they are read at most once."""
        cdef long made = 0
        if not self.pays or not none_open(&self.loans.counts, &made):
            return False
        if self.known and made == self.made:
            return True
        self.known = False
        self.calls += 1
        if self.calls < BEFORE_CHECK:
            return False
        self.made = made
        self.known = net.k.all_between(net.parameters, net.size, -net.largest,
                                       net.largest)
        self.calls = 0 if self.known else -AFTER_FAILURE
        return self.known
