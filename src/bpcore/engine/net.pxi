"""A network, its mini-batches and its tasks, as the workers see them."""


cdef enum:
    ALIGNMENT = 64
    # Multiply-adds of a step for each worker: with less work another worker costs more
    # than it gains; WAKING times that if it is woken for one step only
    # (docs/decisions.md).
    WORK = 1_000_000
    WAKING = 8
    # Rows whose multiply-adds take about as long as reading a large W: with fewer, a
    # step takes as long as with these.
    FEW = 4
    # Multiply-adds of a task below which it keeps the GIL, since releasing it takes
    # longer; such small steps read the clock every CLOCK_EVERY-th time only.
    QUICK = 20_000
    CLOCK_EVERY = 16
    # Rows of a mini-batch for predictions and evaluations.
    AT_ONCE = 256
    # Most blocks of accumulated gradients: the bits of a number of mini-batches.
    MOST_BLOCKS = 64


cdef struct layer_t:
    Py_ssize_t n_in
    Py_ssize_t n_out
    activation_t f
    normalisation_t norm
    double dropout
    bint needs_z         # whether f' is computed from z, else from f(z)
    bint keeps_f         # whether f(z) is another array than a
    bint frozen
    Py_ssize_t W_at      # bytes from the start of a parameter-sized buffer
    Py_ssize_t b_at
    Py_ssize_t gain_at
    Py_ssize_t running_at
    Py_ssize_t packed_at  # bytes from the start of the packed copies; -1: none


# Arrays of one layer for one mini-batch.
cdef struct memory_t:
    char *a              # (n, n_out)
    char *f              # f(z) before dropout: a itself, or another array
    char *z              # NULL if it is not needed
    char *hat            # normalised (n, n_out)
    char *inverse        # 1 / sqrt(variance + eps), (max(n, n_out),)
    char *moments        # mean and variance of the mini-batch, (2, n_out)
    char *delta          # dE/dz, overwritten by dE/du in a normalised layer


# One mini-batch: X (n, n_0) and its targets.
cdef struct batch_t:
    Py_ssize_t n
    const char *X
    targets_t targets


# Sums over the mini-batches so far.
cdef struct sums_t:
    double total                    # sum of w E, whose mean is total / divisor
    double divisor                  # rows, or the sum of w
    Py_ssize_t waiting              # mini-batches whose gradients wait for a step
    double waiting_divisor          # the divisor of their mean
    uint64_t present                # bit b: net.blocks[b] holds a sum of them
    int64_t steps                   # steps made
    Py_ssize_t accumulate           # mini-batches that make one step


cdef extern from "csrc/loans.h" nogil:
    ctypedef struct loans_t "bpcore_loans":
        pass


# What is known of the parameters (zeros.pxi).
cdef struct bounds_t:
    loans_t *loans                  # of the parameters
    bint pays                       # whether any layer is large enough for skipping
    int calls                       # mini-batches of one row since W is not known
    size_t made                     # loans that had been made before the last check
    double W, state                 # most |W|, and |state|; INFINITY: not known


# Packed copies of the weights, for predictions (packed.pxi).
cdef struct packed_t:
    char *start                     # NULL: no memory yet
    Py_ssize_t size                 # bytes of all copies; 0: never made
    bint makes                      # whether the next task makes them
    bint made                       # whether they are those of the parameters
    bint used                       # whether this mini-batch uses them
    size_t loans                    # loans that had been made before the copies
    Py_ssize_t batches              # mini-batches since the parameters changed


# The objective of scikit-learn's networks, for a mini-batch of n rows:
#
#     step:    gradient of  (gradient_factor sum(w E) + alpha / 2 |W|^2) / sum(w)
#     loss:             n (loss_factor sum(w E) + alpha / 2 |W|^2) / sum(w)
cdef struct ridge_t:
    bint used
    double alpha
    double gradient_factor
    double loss_factor


cdef struct task_t


# A network as the workers use it: no Python object but `custom_loss`.
cdef struct net_t:
    const kernel_table *k
    Py_ssize_t L, widest, size      # layers, units of the widest layer, parameters
    Py_ssize_t moments              # running moments of batch norm
    layer_t *layers
    loss_t loss
    double loss_setting
    bint loss_takes_z
    activation_t f_last             # the loss is computed from f_last(z[L-1])
    void *custom_loss               # the Engine if the loss is a Python function
    task_t *task                    # that is run
    bint failed                     # whether that function raised an error
    void *reports_to                # the Engine if finished layers are reported
    double largest                  # largest finite number of the dtype
    bint skips                      # whether zero inputs of this one row are skipped
    double scale_factor             # of the rate of the inputs' scale; 0: no scale
    Py_ssize_t scale_at             # bytes, as W_at: the end of the last layer
    bounds_t bounds
    packed_t packed
    char *parameters
    char *state
    Py_ssize_t state_size           # its elements
    Py_ssize_t part_at, part_end    # bytes of the parameters that steps change
    bint whole                      # whether these are all; see parts.pxi
    char *folded                    # parameters without batch norm
    char *running                   # moments of the layers with batch norm
    # Training.
    optimizer_t *groups             # of W[0], b[0], W[1], b[1], ..., the scale
    double lr, prepared_lr
    bint timed                      # whether a step depends on its number, as Adam's
    double max_norm, clip_norm      # 0: no limit
    Py_ssize_t lowest               # the lowest layer that is not frozen
    Py_ssize_t accumulate           # mini-batches that make one step
    ridge_t ridge
    bint by_weights                 # the divisor of a mean loss is sum(w), not rows
    bint batch_norm                 # in any layer: then a mini-batch has two rows
    int64_t *steps                  # number of steps of the optimizer
    int64_t *seen                   # number of mini-batches used
    int64_t *layer_steps            # number of steps of each layer
    uint64_t seed                   # of dropout and noise
    double input_noise
    bint draws                      # whether there is dropout or noise
    sums_t sums
    # The workspace.
    memory_t *memory                # layer by layer; two deltas serve all layers
    char *dshift
    char *dgain
    double *E
    char *gathered                  # rows of X in their order
    char *scaled                    # a[0] = X * scale
    char *d_scaled                  # dE/da[0], in a delta that is free by then
    char *dscale
    double *squares                 # partial sums of a norm
    char *rooms                     # scratch memory of every worker
    Py_ssize_t room_size            # its bytes for one worker
    Py_ssize_t n_threads            # most workers
    Py_ssize_t work                 # multiply-adds of a step for each worker
    # Stored gradients: sums of accumulated mini-batches, see stored.pxi.
    char *blocks[MOST_BLOCKS]


cdef enum what_t:
    PREDICT
    EVALUATE
    TRAIN
    DIFFERENTIATE
    TRAINING_LOSS


# A task of the engine, and its results.
cdef struct task_t:
    net_t *net
    what_t what
    void *inputs                    # the tuple of the arrays of `data`
    batch_t data
    Py_ssize_t first                # the row to go on from
    Py_ssize_t rows                 # rows of a mini-batch
    Py_ssize_t most                 # number of mini-batches, 0 for all that there are
    double deadline
    Py_ssize_t batches              # number of mini-batches done
    bint ends                       # whether accumulated gradients make a last step
    const double *rates             # learning rate of each step, or NULL
    Py_ssize_t n_rates
    sums_t sums
    uint64_t key                    # of dropout and noise of this mini-batch
    bint finite                     # whether every loss was, and X if it is checked
    bint checks_X                   # whether X must be finite
    bint out_of_time
    bint X_not_finite
    char *out                       # for predictions
    char *gradient                  # for derivatives by the parameters
    double factor                   # of a stored gradient
    char *dX                        # for derivatives by X
    memory_t *tape


cdef int describe(net_t *net, dtype, design) except -1:
    """Fill in the fields of a Design, with the offsets of its Layout in bytes."""
    cdef Py_ssize_t l, size
    net.k = <const kernel_table *>PyCapsule_GetPointer(
        kernels.table(dtype.name), "bpcore.kernel_table"
    )
    net.L, size = len(design.sizes) - 1, net.k.itemsize
    net.layers = <layer_t *>PyMem_Calloc(net.L, sizeof(layer_t))
    net.memory = <memory_t *>PyMem_Calloc(net.L, sizeof(memory_t))
    net.groups = <optimizer_t *>PyMem_Calloc(2 * net.L + 1, sizeof(optimizer_t))
    if net.layers == NULL or net.memory == NULL or net.groups == NULL:
        raise MemoryError()
    for l in range(net.L):
        layer = &net.layers[l]
        layer.n_in, layer.n_out = design.sizes[l], design.sizes[l + 1]
        layer.f = <activation_t><int>kernels.ACTIVATIONS[design.activations[l]]
        layer.norm = <normalisation_t><int>kernels.NORMALISATIONS[design.norms[l]]
        layer.dropout = design.dropout[l]
        layer.needs_z, layer.keeps_f = design.needs_z[l], design.keeps_f[l]
        offsets = design.layout.offsets[l]
        layer.W_at, layer.b_at = offsets.W * size, offsets.b * size
        layer.gain_at, layer.running_at = offsets.gain * size, offsets.moments * size
        net.batch_norm |= layer.norm == BATCH_NORM
        net.widest = max(net.widest, layer.n_out)
    net.scale_factor = design.input_scale
    net.scale_at = design.layout.offsets[net.L].W * size
    if net.scale_factor > 0:
        net.widest = max(net.widest, net.layers[0].n_in)
    net.size, net.moments = design.layout.size, design.layout.moments_size
    net.largest = np.finfo(dtype).max
    net.loss_takes_z = design.loss_takes_z
    net.f_last = IDENTITY if design.loss_takes_z else net.layers[net.L - 1].f
    if not design.custom_loss:
        net.loss = <loss_t><int>kernels.LOSSES[design.loss_kernel]
        net.loss_setting = design.loss_setting
    net.input_noise, net.seed = design.input_noise, design.seed
    net.draws, net.by_weights = design.random, design.by_weights
    net.accumulate = 1
    return 0


cdef optimizer_t *new_groups(
    const net_t *net, optimizer, lr_factors, Py_ssize_t states, Py_ssize_t apart,
) except NULL:
    """The settings of every parameter group, with its layer's factor of the rate.

    Raises unless `states` arrays, `apart` elements each, are enough for its steps.
    """
    cdef Py_ssize_t i
    settings = groups_of(optimizer, kernels.RULES)
    factors = [float(factor) for pair in lr_factors for factor in pair]
    if len(factors) != 2 * net.L:
        raise ValueError("every layer must have factors for weights and for biases")
    cdef optimizer_t *groups = <optimizer_t *>PyMem_Calloc(
        2 * net.L + 1, sizeof(optimizer_t)
    )
    if groups == NULL:
        raise MemoryError()
    try:
        for i in range(2 * net.L + 1):
            groups[i] = optimizer_of(settings[i % 2 if i < 2 * net.L else 1],
                                     kernels.RULES)
            if states < states_needed(&groups[i]):
                raise ValueError(
                    f"states of {type(optimizer).__name__} must name at least "
                    f"{states_needed(&groups[i])} arrays; got {states}"
                )
            groups[i].state_apart = apart
            if i < 2 * net.L:
                groups[i].lr_factor *= <double>factors[i]
            else:
                groups[i].lr_factor = net.scale_factor
            carry_powers(&groups[i], &net.groups[i])
    except BaseException:
        PyMem_Free(groups)
        raise
    return groups


cdef void use_groups(net_t *net, optimizer_t *groups, const char *frozen) noexcept:
    """Replace the flags of frozen layers, and the parameter groups unless NULL."""
    cdef Py_ssize_t l, i
    net.lowest = net.L
    for l in range(net.L - 1, -1, -1):
        net.layers[l].frozen = frozen[l]
        if not frozen[l]:
            net.lowest = l
    if groups == NULL:
        return
    PyMem_Free(net.groups)
    net.groups, net.timed = groups, False
    for i in range(2 * net.L + 1):
        net.timed |= groups[i].rule not in (PLAIN, PLAIN_MOMENTUM, PLAIN_NESTEROV)
        net.timed |= groups[i].weight_decay != 0 or groups[i].l1 != 0
