"""Packed copies of the weights for predictions, kept from one to the next.

The loop nest of a product copies W into panels, mini-batch after mini-batch
(csrc/nest.h).  Predictions leave W as it is: the second mini-batch since W changed
makes copies of all of W, and later ones use them.  As in zeros.pxi, users may write
into the parameters while a loan is open: then there are no copies, and after it they
are made again.
"""


cdef enum:
    # Fewest rows of a mini-batch that uses the copies, and mini-batches before they are
    # made, since making them takes about as long as they save in one.
    PACK_ROWS = 12
    BEFORE_PACKING = 2


cdef void plan_packed(net_t *net) noexcept:
    """The places of the copies; none if the weights may change within a task.

    Batch norm's folded weights are written at each prediction, and a loss in Python may
    write into the parameters between two mini-batches.
    """
    cdef Py_ssize_t l, size
    for l in range(net.L):
        layer = &net.layers[l]
        size = net.k.packed_bytes(layer.n_in, layer.n_out)
        layer.packed_at = net.packed.size if size > 0 else -1
        net.packed.size += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    if net.batch_norm or net.custom_loss != NULL:
        net.packed.size = 0


cdef void drop_packed(net_t *net) noexcept nogil:
    """Note that the copies are no longer those of the parameters."""
    net.packed.made, net.packed.batches = False, 0


cdef inline char *packed_W(const net_t *net, const layer_t *layer) noexcept nogil:
    """The copy of W that this mini-batch uses, or NULL."""
    if not net.packed.used or layer.packed_at < 0:
        return NULL
    return net.packed.start + layer.packed_at


cdef bint packing_pays(net_t *net, const task_t *task) noexcept:
    """Whether a task of predictions or evaluations makes the copies first."""
    packed = &net.packed
    cdef size_t loans = 0
    cdef Py_ssize_t left = task.data.n - task.first
    if task.what not in (PREDICT, EVALUATE) or packed.size == 0:
        return False
    if min(left, task.rows) < PACK_ROWS:
        return False
    if not none_open(net.bounds.loans, &loans):
        drop_packed(net)
        return False
    if loans != packed.loans:
        drop_packed(net)
        packed.loans = loans
    if packed.made:
        return False
    packed.batches += (left + task.rows - 1) // task.rows
    return packed.batches >= BEFORE_PACKING


cdef void pack_pass(net_t *net, const worker_t *worker) noexcept nogil:
    """Make the copies."""
    cdef Py_ssize_t l
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.packed_at >= 0:
            net.k.pack(worker, net.packed.start + layer.packed_at,
                       net.parameters + layer.W_at, layer.n_in, layer.n_out)
    barrier_wait(worker)
    if worker.index == 0:
        net.packed.made, net.packed.makes = True, False
