"""One mini-batch, by all workers: forward, loss, backward, update."""


cdef inline char *within(char *start, Py_ssize_t at) noexcept nogil:
    """The address `at` bytes into a buffer, NULL if there is no buffer."""
    return start + at if start != NULL else NULL


cdef void forward_pass(
    const net_t *net, const worker_t *worker, const memory_t *memory, const char *X,
    char *out, Py_ssize_t n, activation_t f_last, bint training, uint64_t key,
) noexcept nogil:
    """a[l+1] = drop(f[l](norm(a[l] @ W[l]) + b[l])), the last of them in `out`

    with a[0] = X, or X * scale.  In training, batch norm uses the moments of the
    mini-batch and there is dropout; otherwise W[l] and b[l] are the folded ones.
    `f_last` is the last f.
    """
    cdef Py_ssize_t l
    cdef char *here
    cdef char *fz
    cdef char *z
    cdef char *parameters
    cdef activation_t f
    cdef const char *a = scaled_rows(net, worker, X, n)
    if a != X:
        barrier_wait(worker)
    for l in range(net.L):
        layer = &net.layers[l]
        here = out if l == net.L - 1 else memory[l].a
        f = f_last if l == net.L - 1 else layer.f
        # The places of z, if it is stored, and of f(z) before dropout.
        z = memory[l].z if training and memory[l].z != here else NULL
        fz = memory[l].f if training and memory[l].f != memory[l].a else here
        if layer.norm == NOT_NORMALISED or (layer.norm == BATCH_NORM and not training):
            parameters = net.parameters if layer.norm == NOT_NORMALISED else net.folded
            product(net, worker, fz, z, a, parameters + layer.W_at,
                    parameters + layer.b_at, n, layer, f)
        else:
            product(net, worker, memory[l].hat, NULL, a, net.parameters + layer.W_at,
                    NULL, n, layer, IDENTITY)
            barrier_wait(worker)
            z = z if z != NULL else fz
            net.k.normalise(worker, z, memory[l].hat, memory[l].inverse,
                            memory[l].moments, net.parameters + layer.gain_at,
                            net.parameters + layer.b_at, n, layer.n_out, layer.norm)
            barrier_wait(worker)
            net.k.activate(worker, fz, z, n, layer.n_out, f)
        if training and layer.dropout > 0:
            barrier_wait(worker)
            net.k.drop(worker, here, fz, key_of(key, l + 1), layer.dropout, n,
                       layer.n_out)
        barrier_wait(worker)
        a = here


cdef inline const char *scaled_rows(
    const net_t *net, const worker_t *worker, const char *X, Py_ssize_t n,
) noexcept nogil:
    """a[0]: X * scale in the workspace, or X itself; a barrier must follow."""
    if net.scale_factor == 0:
        return X
    net.k.scale_rows(worker, net.scaled, X, net.parameters + net.scale_at, n,
                     net.layers[0].n_in)
    return net.scaled


cdef inline void product(
    const net_t *net, const worker_t *worker, char *out, char *z, const char *a,
    const char *W, const char *b, Py_ssize_t n, const layer_t *layer, activation_t f,
) noexcept nogil:
    """z = a @ W + b,  out = f(z)"""
    if net.skips:
        net.k.forward_one(worker, out, z, a, W, b, layer.n_in, layer.n_out, f)
    else:
        net.k.forward(worker, out, z, a, W, packed_W(net, layer), b, n, layer.n_in,
                      layer.n_out, f)


cdef void fold_pass(const net_t *net, const worker_t *worker) noexcept nogil:
    """Fold batch norm into copies of the weights and biases, for predictions."""
    cdef Py_ssize_t l
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.norm == BATCH_NORM:
            net.k.fold(worker, net.folded + layer.W_at, net.folded + layer.b_at,
                       net.parameters + layer.W_at, net.parameters + layer.b_at,
                       net.parameters + layer.gain_at, net.running + layer.running_at,
                       layer.n_in, layer.n_out)
    barrier_wait(worker)


cdef void follow_pass(
    const net_t *net, const worker_t *worker, const memory_t *memory, Py_ssize_t n,
) noexcept nogil:
    """Update the running moments by those of the mini-batch."""
    cdef Py_ssize_t l
    if not net.batch_norm:
        return
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.norm == BATCH_NORM and not layer.frozen:
            net.k.follow(worker, net.running + layer.running_at, memory[l].moments, n,
                         layer.n_out)


cdef void backward_pass(
    net_t *net, const worker_t *worker, const memory_t *memory, const char *X,
    Py_ssize_t n, uint64_t key, char *gradient, char *dX, bint trains,
) noexcept nogil:
    """From delta[L-1], for l = L-1 .. 0:

        delta[l-1] = (delta[l] @ W[l].T) * f'[l-1](z[l-1])    from the old W[l],
        W[l], b[l] updated in place, or dW[l], db[l] stored in `gradient`

    and dX = delta[0] @ W[0].T unless dX is NULL, with a scale times it.  If `trains`,
    frozen layers have no gradient, and the pass ends at the lowest layer that is not
    frozen; with a scale at layer 0.
    """
    cdef bint scales = net.scale_factor > 0
    cdef Py_ssize_t l, lowest = net.lowest if trains and not scales else 0
    cdef bint stores
    cdef const char *a
    cdef char *d_input = net.d_scaled if scales and dX == NULL else dX
    cdef char *delta
    cdef char *dshift
    cdef char *dgain
    for l in range(net.L - 1, lowest - 1, -1):
        layer = &net.layers[l]
        W = net.parameters + layer.W_at
        delta = memory[l].delta
        dshift = dgain = NULL
        stores = gradient != NULL and not (trains and layer.frozen)
        if layer.norm != NOT_NORMALISED:
            dshift, dgain = net.dshift, net.dgain
            if stores:
                dshift, dgain = gradient + layer.b_at, gradient + layer.gain_at
            net.k.normalise_back(worker, delta, dgain, dshift, memory[l].hat,
                                 memory[l].inverse, net.parameters + layer.gain_at, n,
                                 layer.n_out, layer.norm)
            barrier_wait(worker)
        if l > lowest:
            propagate_pass(net, worker, memory, l, n, key)
        elif d_input != NULL:
            net.k.propagate(worker, d_input, delta, W, NULL, n, layer.n_in, layer.n_out,
                            IDENTITY)
        barrier_wait(worker)
        if scales and l == 0:
            scale_pass(net, worker, X, n, d_input, gradient, dX != NULL)
        a = X
        if l > 0:
            a = memory[l - 1].a
        elif scales:
            a = net.scaled
        if stores:
            net.k.gradient(worker, gradient + layer.W_at,
                           gradient + layer.b_at if dshift == NULL else NULL,
                           a, delta, n, layer.n_in, layer.n_out)
        elif gradient == NULL and not layer.frozen:
            update(net, worker, l, a, delta, n, dshift == NULL)
            if dshift != NULL:
                descend_vectors(net, worker, l, dshift, dgain)
            limit_pass(net, worker, l)
        barrier_wait(worker)
        if net.reports_to != NULL:
            report_pass(net, worker, l)


cdef void scale_pass(
    const net_t *net, const worker_t *worker, const char *X, Py_ssize_t n,
    char *d_input, char *gradient, bint makes_dX,
) noexcept nogil:
    """dscale = (dE/da[0] * X).sum(0),  dX = dE/da[0] * scale

    The scale is updated, or dscale stored in `gradient`.
    """
    cdef char *scale = net.parameters + net.scale_at if makes_dX else NULL
    cdef char *dscale = net.dscale
    if gradient != NULL:
        dscale = gradient + net.scale_at
    net.k.scale_rows_back(worker, d_input, dscale, X, scale, n, net.layers[0].n_in)
    barrier_wait(worker)
    if gradient == NULL:
        descend_scale(net, worker, dscale)


cdef void descend_scale(
    const net_t *net, const worker_t *worker, const char *dscale,
) noexcept nogil:
    """The scale of the inputs by its stored gradient."""
    net.k.descend(worker, net.parameters + net.scale_at,
                  within(net.state, net.scale_at), dscale, net.layers[0].n_in,
                  &net.groups[2 * net.L])


cdef inline void update(
    net_t *net, const worker_t *worker, Py_ssize_t l, const char *a, const char *delta,
    Py_ssize_t n, bint with_b,
) noexcept nogil:
    """W[l], and b[l] if it is not stored, by a.T @ delta and delta.sum(0)"""
    layer = &net.layers[l]
    W = net.parameters + layer.W_at
    b = net.parameters + layer.b_at if with_b else NULL
    state_W, state_b = within(net.state, layer.W_at), within(net.state, layer.b_at)
    for_W, for_b = &net.groups[2 * l], &net.groups[2 * l + 1]
    if not net.skips:
        net.k.update(worker, W, b, state_W, state_b, a, delta, n, layer.n_in,
                     layer.n_out, for_W, for_b)
        return
    if worker.index == 0:
        note_inputs(net, layer, a, delta)
    net.k.update_one(worker, W, b, state_W, state_b, a, delta, layer.n_in, layer.n_out,
                     for_W, for_b)


cdef void propagate_pass(
    const net_t *net, const worker_t *worker, const memory_t *memory, Py_ssize_t l,
    Py_ssize_t n, uint64_t key,
) noexcept nogil:
    """delta[l-1] = drop(delta[l] @ W[l].T) * f'[l-1](z[l-1])

    Dropout commutes with every f' but softmax's, which is no product by element.
    """
    layer = &net.layers[l]
    below = &net.layers[l - 1]
    here = &memory[l - 1]
    cdef bint apart = below.f == SOFTMAX and below.dropout > 0
    net.k.propagate(worker, here.delta, memory[l].delta, net.parameters + layer.W_at,
                    here.z if below.needs_z else here.f, n, layer.n_in, layer.n_out,
                    IDENTITY if apart else below.f)
    if below.dropout > 0:
        barrier_wait(worker)
        net.k.drop(worker, here.delta, here.delta, key_of(key, l), below.dropout, n,
                   layer.n_in)
    if apart:  # each worker has the same rows in both: no barrier needed
        times_derivative_pass(net, worker, memory, l - 1, n)


cdef void times_derivative_pass(
    const net_t *net, const worker_t *worker, const memory_t *memory, Py_ssize_t l,
    Py_ssize_t n,
) noexcept nogil:
    """delta[l] = delta[l] * f'[l](z[l])"""
    layer = &net.layers[l]
    here = &memory[l]
    net.k.times_derivative(worker, here.delta, here.z if layer.needs_z else here.f, n,
                           layer.n_out, layer.f)


cdef void descend_vectors(
    const net_t *net, const worker_t *worker, Py_ssize_t l, const char *db,
    const char *dgain,
) noexcept nogil:
    """b[l] and, where it is normalised, gain[l] by their stored gradients."""
    layer = &net.layers[l]
    net.k.descend(worker, net.parameters + layer.b_at,
                  within(net.state, layer.b_at), db, layer.n_out,
                  &net.groups[2 * l + 1])
    if layer.norm != NOT_NORMALISED:
        net.k.descend(worker, net.parameters + layer.gain_at,
                      within(net.state, layer.gain_at), dgain, layer.n_out,
                      &net.groups[2 * l + 1])


cdef void limit_pass(
    const net_t *net, const worker_t *worker, Py_ssize_t l,
) noexcept nogil:
    """Limit the norm of each unit's weights in layer l to max_norm, if it is set."""
    if net.max_norm > 0:
        layer = &net.layers[l]
        barrier_wait(worker)
        net.k.limit_norms(worker, net.parameters + layer.W_at, net.max_norm,
                          layer.n_in, layer.n_out)


cdef double weight_sum(const net_t *net, const batch_t *batch) noexcept nogil:
    """sum(w) of the rows; w is the mean if each output has a weight of its own"""
    cdef Py_ssize_t i, j, at, m = batch.targets.weights
    cdef double row, total = 0
    targets = &batch.targets
    if targets.weight == NULL:
        return batch.n
    for i in range(batch.n):
        at = targets.order[i] if targets.order != NULL else i
        row = 0
        for j in range(m):
            row += targets.weight[at * m + j]
        total += row / m
    return total


cdef double mean_divisor(
    const net_t *net, const batch_t *batch, double weight,
) noexcept nogil:
    """The divisor of sum(w E) in the mean loss: rows, or sum(w)"""
    return weight if net.by_weights else batch.n


cdef double squared_weights(
    const net_t *net, const worker_t *worker,
) noexcept nogil:
    """|W|^2 of all layers"""
    cdef Py_ssize_t l
    cdef double norm, total = 0
    for l in range(net.L):
        layer = &net.layers[l]
        norm = net.k.norm(worker, net.squares, net.parameters + layer.W_at,
                          layer.n_in * layer.n_out)
        barrier_wait(worker)
        total += norm * norm
    return total


cdef void loss_pass(
    const net_t *net, const worker_t *worker, const memory_t *memory,
    const batch_t *batch, const char *out, bint training, double divisor,
    double *total,
) noexcept nogil:
    """total += sum(w E);  delta[L-1] is the derivative of sum(w E) / divisor

    `out` is the argument of the loss: a[L], or z[L-1] if it includes the activation.
    """
    cdef Py_ssize_t i, n = batch.n
    cdef double scale = 1 / divisor if divisor > 0 else 0
    cdef char *delta = memory[net.L - 1].delta
    last = &net.layers[net.L - 1]
    if net.custom_loss:
        if worker.index == 0:
            custom_loss_pass(net, worker, batch, out, delta, scale)
        barrier_wait(worker)
    else:
        net.k.loss(worker, net.E, delta, out, &batch.targets, scale, n, last.n_out,
                   net.loss, net.loss_setting)
    if training and not net.loss_takes_z:  # the same rows: no barrier needed
        times_derivative_pass(net, worker, memory, net.L - 1, n)
    barrier_wait(worker)
    for i in range(n):
        total[0] += net.E[i]


cdef void custom_loss_pass(
    const net_t *net, const worker_t *worker, const batch_t *batch, const char *out,
    char *delta, double scale,
) noexcept nogil:
    """E and delta from a loss that is a Python function."""
    cdef int forks = count_forks()
    with gil:
        evaluate_custom_loss(<Engine>net.custom_loss, batch, out, delta, scale)
    begin_arithmetic()  # again: the loss may have changed it
    go_on(worker, forks)


cdef bint moments_fit(const net_t *net) noexcept nogil:
    """Whether the moments of the mini-batch, and variance n / (n - 1), are finite."""
    cdef Py_ssize_t l
    if not net.batch_norm:
        return True
    for l in range(net.L):
        layer = &net.layers[l]
        if layer.norm == BATCH_NORM and not layer.frozen:
            if not net.k.all_between(net.memory[l].moments, 2 * layer.n_out,
                                     -net.largest / 2, net.largest / 2):
                return False
    return True


cdef bint losses_pass(
    net_t *net, const worker_t *worker, const batch_t *batch, uint64_t key,
    double divisor, double *total,
) noexcept nogil:
    """Both passes to delta[L-1], see `loss_pass`; false if a step would diverge."""
    cdef char *out = net.memory[net.L - 1].a
    forward_pass(net, worker, net.memory, batch.X, out, batch.n, net.f_last, True, key)
    loss_pass(net, worker, net.memory, batch, out, True, divisor, total)
    return isfinite(total[0]) and moments_fit(net)


cdef void learn_pass(
    net_t *net, const worker_t *worker, const batch_t *batch, uint64_t key,
    char *gradient,
) noexcept nogil:
    """The backward pass, with the update, or with the gradient stored."""
    if gradient != NULL:
        clear_frozen(net, worker, gradient)
    backward_pass(net, worker, net.memory, batch.X, batch.n, key, gradient, NULL, True)


cdef bint step(
    net_t *net, const worker_t *worker, const batch_t *batch, uint64_t key,
    sums_t *sums, bint ends,
) noexcept nogil:
    """Train on one mini-batch; false, with nothing changed, if it diverges.

    It diverges if its loss or a moment of batch norm is not finite.  The update is
    fused into the backward pass, or the gradient is stored for clipping or
    accumulation.  A mini-batch whose weights are all 0 makes no step.
    """
    cdef double loss = 0, weight = weight_sum(net, batch)
    cdef double divisor = mean_divisor(net, batch, weight)
    cdef double gradient_factor = net.ridge.gradient_factor if net.ridge.used else 1
    cdef char *gradient = NULL
    cdef bint waits = sums.accumulate > 1
    cdef int block = 0
    if waits or net.clip_norm > 0:
        block = ones(sums.waiting)
        gradient = net.blocks[block]
    if weight > 0:
        if not losses_pass(net, worker, batch, key,
                           1 if waits else divisor / gradient_factor, &loss):
            return False
        if net.ridge.used:
            loss *= net.ridge.loss_factor
            loss += net.ridge.alpha / 2 * squared_weights(net, worker)
            loss, divisor = batch.n * loss / divisor, batch.n
        learn_pass(net, worker, batch, key, gradient)
        if worker.index == 0:
            note_step(net, batch.n, gradient != NULL)
        if gradient == NULL:
            sums.steps += 1
        elif not waits:
            step_from_stored(net, worker, gradient, 1, sums)
        follow_pass(net, worker, net.memory, batch.n)
    if waits:
        wait_pass(net, worker, sums, block, weight > 0)
        sums.waiting_divisor += divisor
        if sums.waiting == sums.accumulate or ends:
            flush_pass(net, worker, sums)
            if worker.index == 0:
                forget(net)
    sums.total += loss
    sums.divisor += divisor
    return True


cdef batch_t rows(
    const net_t *net, const worker_t *worker, const batch_t *data, Py_ssize_t first,
    Py_ssize_t n,
) noexcept nogil:
    """n rows from `first` on; rows of X in another order are copied together."""
    cdef Py_ssize_t i, start, end, size = net.layers[0].n_in * net.k.itemsize
    cdef batch_t batch = data[0]
    batch.n = n
    if data.targets.order != NULL:
        batch.X = net.gathered
        batch.targets.order += first
        worker_range(worker, n, 1, &start, &end)
        for i in range(start, end):
            memcpy(net.gathered + i * size,
                   data.X + batch.targets.order[i] * size, size)
        return batch
    batch.X += first * size
    if batch.targets.y != NULL:
        batch.targets.y = <const char *>batch.targets.y + (
            first * net.layers[net.L - 1].n_out * net.k.itemsize
        )
    if batch.targets.labels != NULL:
        batch.targets.labels += first
    if batch.targets.weight != NULL:
        batch.targets.weight += first * batch.targets.weights
    return batch


cdef void add_noise(
    const net_t *net, const worker_t *worker, batch_t *batch, uint64_t key,
) noexcept nogil:
    """X plus gaussian noise, in another array."""
    net.k.add_noise(worker, net.gathered, batch.X, key_of(key, 0), net.input_noise,
                    batch.n, net.layers[0].n_in)
    batch.X = net.gathered
