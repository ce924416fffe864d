"""Whether rows of W whose input is 0 may be skipped: only if W is known to be finite.

The kernels that skip them (csrc/sparse_row.h) have the same bits for finite W only, and
users may write into the parameters at any time, through arrays that `Engine.lend`
hands out.  Each of these is over a _Loan, which every view of it keeps alive: while one
is open nothing is skipped, and after the last the parameters are checked again.

Between two checks bounds of W and of the optimizer's state prove that they are finite:
every step from one row makes them wider by what it can change at most (csrc/bounds.h).
"""


cdef enum:
    # Mini-batches of one row before the parameters are checked, as a check takes about
    # as long as one of them; and before they are checked again after numbers were too
    # large.
    BEFORE_CHECK = 2
    AFTER_FAILURE = 1000


cdef extern from "csrc/types.h" nogil:
    enum:
        SPARSE_SIZE "BPCORE_SPARSE_SIZE"


# Bounds of inputs and deltas, and of W and the state when they are checked.
cdef double NEAR = 1e6, FAR = 1e18


cdef extern from "csrc/loans.h" nogil:
    void lend "bpcore_lend"(loans_t *loans)
    void give_back "bpcore_return"(loans_t *loans)
    bint none_open "bpcore_none_open"(loans_t *loans, size_t *made)


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
        cdef Py_buffer own
        PyObject_GetBuffer(self.memory, &own, PyBUF_WRITABLE)
        try:
            PyBuffer_FillInfo(view, self, own.buf, own.len, 0, flags)
        finally:
            PyBuffer_Release(&own)

    def __releasebuffer__(self, Py_buffer *view):
        pass


cdef inline bint is_large(const layer_t *layer) noexcept nogil:
    """Whether rows of W may be skipped: for others that costs more than it saves."""
    return layer.n_in * layer.n_out >= SPARSE_SIZE


cdef bint skipping_pays(const net_t *net) noexcept nogil:
    """Whether any layer is large.

    Batch norm's folded weights are written at each prediction, and a loss in Python may
    write into the parameters between a forward pass and its update.
    """
    cdef Py_ssize_t l
    if net.batch_norm or net.custom_loss != NULL:
        return False
    for l in range(net.L):
        if is_large(&net.layers[l]):
            return True
    return False


cdef void forget(net_t *net) noexcept nogil:
    """Note that the parameters have changed, to unknown values."""
    drop_packed(net)
    net.bounds.W = INFINITY
    net.bounds.calls = min(net.bounds.calls, 0)


cdef void give_up(net_t *net) noexcept nogil:
    """Note that steps may make W infinite: the next check is far away."""
    net.bounds.W, net.bounds.calls = INFINITY, -AFTER_FAILURE


cdef void note_step(net_t *net, Py_ssize_t n, bint stored) noexcept nogil:
    """Note a step from n rows, perhaps with a stored gradient."""
    drop_packed(net)
    if n > 1 or stored:
        forget(net)
    elif net.skips:
        widen(net)
    else:  # `calls` goes on: the next step may find that W is finite
        net.bounds.W = INFINITY


cdef bint may_skip(net_t *net) noexcept nogil:
    """Whether W is known to be finite, for a mini-batch of one row."""
    cdef bounds_t *bounds = &net.bounds
    cdef size_t made = 0
    if not bounds.pays or not net.whole or not none_open(bounds.loans, &made):
        return False
    if bounds.W < INFINITY and made == bounds.made:
        return True
    bounds.W = INFINITY
    bounds.calls += 1
    if bounds.calls < BEFORE_CHECK:
        return False
    bounds.made, bounds.calls = made, -AFTER_FAILURE
    if net.k.all_between(net.parameters, net.size, -FAR, FAR) and state_is_usual(net):
        bounds.W = bounds.state = FAR
        bounds.calls = 0
        return True
    return False


cdef bint state_is_usual(const net_t *net) noexcept nogil:
    """Whether the optimizer's state is not huge, and means of squares not negative."""
    cdef int at
    cdef Py_ssize_t apart
    if net.state == NULL:
        return True
    at, apart = net.k.squares_at(net.groups[0].rule), net.groups[0].state_apart
    return net.k.all_between(net.state, net.state_size, -FAR, FAR) and (
        at < 0
        or net.k.all_between(net.state + at * apart * net.k.itemsize, net.size, 0, FAR)
    )


cdef void widen(net_t *net) noexcept nogil:
    """Make the bounds wider by one step from one row."""
    cdef Py_ssize_t l
    cdef double W, state, widest_W = 0, widest_state = 0
    for l in range(net.L):
        if is_large(&net.layers[l]) and not net.layers[l].frozen:
            W, state = net.bounds.W, net.bounds.state
            net.k.widen(&net.groups[2 * l], NEAR * NEAR, &W, &state)
            widest_W, widest_state = max(widest_W, W), max(widest_state, state)
    net.bounds.W = max(net.bounds.W, widest_W)
    net.bounds.state = max(net.bounds.state, widest_state)
    if net.bounds.W == INFINITY:
        give_up(net)


cdef void note_inputs(
    net_t *net, const layer_t *layer, const char *a, const char *delta,
) noexcept nogil:
    """Give up if a gradient a.T @ delta may be larger than `widen` allows."""
    if is_large(layer) and not (
        net.k.all_between(a, layer.n_in, -NEAR, NEAR)
        and net.k.all_between(delta, layer.n_out, -NEAR, NEAR)
    ):
        give_up(net)
