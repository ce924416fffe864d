"""The places of all arrays in the workspace of a network and in a tape."""


cdef int worker_count(
    const net_t *net, what_t what, Py_ssize_t rows, bint many,
) noexcept nogil:
    """The number of workers for one mini-batch, or `many`, of that number of rows."""
    cdef Py_ssize_t products = 3 if what in (TRAIN, DIFFERENTIATE) else 1
    cdef Py_ssize_t least = net.work if many else WAKING * net.work
    cdef Py_ssize_t work = products * (rows if many else max(rows, FEW)) * net.size
    return <int>max(1, min(net.n_threads, work // least))


cdef Py_ssize_t carve(
    net_t *net, char *start, Py_ssize_t n, bint gathers,
) noexcept nogil:
    """Set all pointers into a workspace at `start`; returns its size in bytes."""
    cdef Py_ssize_t l, size = net.k.itemsize, room
    cdef Py_ssize_t at = carve_memory(net, net.memory, start, n, False)
    cdef char *deltas[2]
    for l in range(2):
        deltas[l] = part(start, &at, n * net.widest * size)
    for l in range(net.L):
        net.memory[l].delta = deltas[(net.L - 1 - l) % 2]
    net.d_scaled = deltas[net.L % 2]  # not that of layer 0
    net.dshift = part(start, &at, net.widest * size)
    net.dgain = part(start, &at, net.widest * size)
    net.E = <double *>part(start, &at, n * sizeof(double))
    net.gathered = NULL
    if gathers:
        net.gathered = part(start, &at, n * net.layers[0].n_in * size)
    if net.scale_factor > 0:
        net.scaled = part(start, &at, n * net.layers[0].n_in * size)
        net.dscale = part(start, &at, net.layers[0].n_in * size)
    net.squares = <double *>part(
        start, &at, ((net.size - 1) // SQUARES + 1) * sizeof(double)
    )
    net.room_size = 0
    for l in range(net.L):
        room = net.k.room(n, net.layers[l].n_in, net.layers[l].n_out)
        net.room_size = max(net.room_size, room)
    net.rooms = part(start, &at, worker_count(net, TRAIN, n, True) * net.room_size)
    return at


cdef Py_ssize_t carve_memory(
    const net_t *net, memory_t *memory, char *start, Py_ssize_t n, bint everything,
) noexcept nogil:
    """Set the pointers of each layer: all arrays, or those that training needs."""
    cdef Py_ssize_t l, at = 0, size = net.k.itemsize, rows
    for l in range(net.L):
        layer = &net.layers[l]
        here = &memory[l]
        rows = n * layer.n_out * size
        here.a = here.f = part(start, &at, rows)
        if layer.keeps_f or (everything and layer.dropout > 0):
            here.f = part(start, &at, rows)
        if layer.needs_z or everything:
            here.z = part(start, &at, rows)
        if layer.norm != NOT_NORMALISED:
            here.hat = part(start, &at, rows)
            here.inverse = part(start, &at, max(n, layer.n_out) * size)
            here.moments = part(start, &at, 2 * layer.n_out * size)
        if everything:
            here.delta = part(start, &at, rows)
    return at


cdef dict places(const memory_t *memory, size_t start):
    """The offsets of a layer's arrays from `start` in bytes, by name."""
    found = {
        "a": <size_t>memory.a, "f": <size_t>memory.f, "z": <size_t>memory.z,
        "hat": <size_t>memory.hat, "inverse": <size_t>memory.inverse,
        "moments": <size_t>memory.moments, "delta": <size_t>memory.delta,
    }
    return {name: at - start for name, at in found.items() if at}
