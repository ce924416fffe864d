"""Steps from stored gradients: of one mini-batch, or accumulated over several."""


cdef void clip_pass(
    const net_t *net, const worker_t *worker, char *gradient, double scale,
) noexcept nogil:
    """g = scale g min(1, clip_norm / (||scale g|| + 1e-6))"""
    cdef double length, factor = scale
    if net.clip_norm > 0:
        length = scale * net.k.norm(worker, net.squares, gradient, net.size)
        if length + 1e-6 > net.clip_norm:
            factor *= net.clip_norm / (length + 1e-6)
        barrier_wait(worker)
    if factor != 1:
        net.k.scale(worker, gradient, factor, net.size)
        barrier_wait(worker)


cdef inline void descend_within(
    const net_t *net, const worker_t *worker, Py_ssize_t at, Py_ssize_t count,
    const char *gradient, const optimizer_t *group,
) noexcept nogil:
    """`descend` on `count` parameters from byte `at` on, those in the part only."""
    cdef Py_ssize_t size = net.k.itemsize
    cdef Py_ssize_t first = max(at, net.part_at)
    cdef Py_ssize_t end = min(at + count * size, net.part_end)
    if first < end:
        net.k.descend(worker, net.parameters + first, within(net.state, first),
                      gradient + first, (end - first) // size, group)


cdef void descend_pass(
    const net_t *net, const worker_t *worker, const char *gradient,
) noexcept nogil:
    """One optimizer step on the parameters of this part from a stored gradient."""
    cdef Py_ssize_t l
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.frozen:
            continue
        descend_within(net, worker, layer.W_at, layer.n_in * layer.n_out, gradient,
                       &net.groups[2 * l])
        descend_within(net, worker, layer.b_at, layer.n_out, gradient,
                       &net.groups[2 * l + 1])
        if layer.norm != NOT_NORMALISED:
            descend_within(net, worker, layer.gain_at, layer.n_out, gradient,
                           &net.groups[2 * l + 1])
        if net.whole:
            limit_pass(net, worker, l)
    if net.scale_factor > 0:
        descend_within(net, worker, net.scale_at, net.layers[0].n_in, gradient,
                       &net.groups[2 * net.L])
    barrier_wait(worker)


cdef void step_from_stored(
    const net_t *net, const worker_t *worker, char *gradient, double scale,
    sums_t *sums,
) noexcept nogil:
    """A step from a stored gradient times `scale`, clipped by norm."""
    clip_pass(net, worker, gradient, scale)
    descend_pass(net, worker, gradient)
    sums.steps += 1


cdef void clear_frozen(
    const net_t *net, const worker_t *worker, char *gradient,
) noexcept nogil:
    """Set the gradient of the frozen layers to 0, which have no part in its norm."""
    cdef Py_ssize_t l, end
    cdef bint cleared = False
    for l in range(net.L):
        if net.layers[l].frozen:
            cleared = True
            end = net.scale_at
            if l < net.L - 1:
                end = net.layers[l + 1].W_at
            if worker.index == 0:
                memset(gradient + net.layers[l].W_at, 0, end - net.layers[l].W_at)
    if cleared:
        barrier_wait(worker)


# --- accumulated gradients ------------------------------------------------------------
#
# The gradient of a step of m mini-batches is the sum of theirs, as a binary tree over
# their numbers 0 .. m-1:
#
#     S(0, i) = gradient of mini-batch i
#     S(j, i) = S(j-1, 2i) + S(j-1, 2i+1)      of mini-batches i 2^j .. (i+1) 2^j - 1
#
# where missing terms add nothing: mini-batches from m on, and those whose weights are
# all 0.  After i mini-batches there is one partial sum for each bit 1 of i, the highest
# bit first, as in a binary counter.  They lie one after the other in net.blocks; a sum
# overwrites its left half.


cdef inline int ones(uint64_t i) noexcept nogil:
    """The number of bits 1 in i."""
    cdef int count = 0
    while i:
        i &= i - 1
        count += 1
    return count


cdef inline int bit_length(uint64_t i) noexcept nogil:
    """The number of bits of i without leading zeros; 0 for 0."""
    cdef int count = 0
    while i >> count:
        count += 1
    return count


cdef void join_blocks(
    const net_t *net, const worker_t *worker, sums_t *sums, int right,
) noexcept nogil:
    """blocks[right - 1] += blocks[right], where a missing block counts as 0.

    Each worker adds the same elements in every call: no barrier is needed in between.
    """
    cdef Py_ssize_t first, end, size = net.k.itemsize
    cdef uint64_t has_left = <uint64_t>1 << (right - 1), has_right = has_left << 1
    if sums.present & has_right:
        if sums.present & has_left:
            net.k.add(worker, net.blocks[right - 1], net.blocks[right], net.size)
        else:
            worker_range(worker, net.size, 64, &first, &end)
            memcpy(net.blocks[right - 1] + first * size,
                   net.blocks[right] + first * size, (end - first) * size)
        sums.present = sums.present & ~has_right | has_left


cdef void wait_pass(
    const net_t *net, const worker_t *worker, sums_t *sums, int block, bint present,
) noexcept nogil:
    """Accumulate one more mini-batch; its gradient lies in `block` if `present`."""
    cdef Py_ssize_t i = sums.waiting
    if present:
        sums.present |= <uint64_t>1 << block
    while i & 1:  # the last block is complete: add it to its left half
        join_blocks(net, worker, sums, block)
        block -= 1
        i >>= 1
    sums.waiting += 1
    barrier_wait(worker)


cdef void flush_pass(
    const net_t *net, const worker_t *worker, sums_t *sums,
) noexcept nogil:
    """A step from the accumulated gradients, if there are any."""
    cdef int block
    for block in range(ones(sums.waiting) - 1, 0, -1):
        join_blocks(net, worker, sums, block)
    barrier_wait(worker)
    if sums.present:
        clear_frozen(net, worker, net.blocks[0])
        step_from_stored(net, worker, net.blocks[0], 1 / sums.waiting_divisor, sums)
    sums.waiting, sums.waiting_divisor, sums.present = 0, 0, 0
