"""The kernels of bpcore: every piece of arithmetic the engine uses, callable alone.

The arithmetic is C (``csrc/layer.h`` and what it is made of), compiled once per
instruction set and reached through one table of each build.  The build in use is chosen
at import (``engine/dispatch.py``).

These functions take C-contiguous arrays of one dtype, float32 or float64 (anything
else raises TypeError, ValueError or BufferError), check shapes, and write into arrays
of the caller's, which must not overlap the inputs.  They use the memory as it is:
numbers under a mask too.
"""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyTypeObject
from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY, copysign, fabs, sqrt
from libc.stdint cimport INT64_MAX, UINT64_MAX, int64_t, uint64_t
from libc.string cimport memset

import operator as _operator
import sys as _sys
import threading as _threading
import types as _types

from bpcore import groups as _groups, quoting as _quoting


cdef extern from "csrc/builds.h" nogil:
    ctypedef struct kernels_t "bpcore_kernels":
        const char *isa
        const char *compiler
        const char *flags
        Py_ssize_t tile_rows
        const kernel_table *f32
        const kernel_table *f64

    const kernels_t *const *every_build "bpcore_builds"

    const Py_ssize_t CHAIN "BPCORE_CHAIN"

    const char *ACTIVATION_NAMES "BPCORE_ACTIVATIONS"
    const char *LOSS_NAMES "BPCORE_LOSSES"
    const char *NORMALISATION_NAMES "BPCORE_NORMALISATIONS"
    const char *RULE_NAMES "BPCORE_RULES"
    const char *ELEMENTARY_NAMES "BPCORE_ELEMENTARY"


cdef extern from "Python.h":
    Py_ssize_t PY_SSIZE_T_MAX


ctypedef fused real:
    float
    double


cdef enum:
    # Arrays of fewer elements are checked with the GIL held: releasing it takes longer.
    QUICK = 20_000


# --- names as integers ----------------------------------------------------------------


cdef dict numbered(const char *names, int first=0):
    """{name: its integer}, from names in one string; interned, for faster lookup."""
    words = names.decode().split()
    return {_sys.intern(name): first + i for i, name in enumerate(words)}


cdef dict activations = numbered(ACTIVATION_NAMES)
cdef dict losses = numbered(LOSS_NAMES)
cdef dict normalisations = {None: NOT_NORMALISED}
normalisations.update(numbered(NORMALISATION_NAMES, NOT_NORMALISED + 1))
cdef dict rules = numbered(RULE_NAMES)
cdef dict elementary_functions = numbered(ELEMENTARY_NAMES)

# Read-only: the kernels trust these integers.
ACTIVATIONS = _types.MappingProxyType(activations)
LOSSES = _types.MappingProxyType(losses)
NORMALISATIONS = _types.MappingProxyType(normalisations)
RULES = _types.MappingProxyType(rules)
ELEMENTARY = _types.MappingProxyType(elementary_functions)


# --- builds ---------------------------------------------------------------------------


cdef dict described(const kernels_t *kernels):
    """The entries of `bpcore.config` for one build."""
    return {
        "compiler": kernels.compiler.decode(),
        "flags": kernels.flags.decode(),
        "tile_rows": kernels.tile_rows,
        "tile_columns": {
            "float32": kernels.f32.tile_columns, "float64": kernels.f64.tile_columns,
        },
        "chain": CHAIN,
    }


# The build in use; at first the last one, scalar, which runs on every processor.
cdef const kernels_t *build = NULL

cdef dict builds = {}
while every_build[len(builds)] != NULL:
    build = every_build[len(builds)]
    builds[build.isa.decode()] = described(build)

#: Builds of the kernels by instruction set, and their settings; read-only.
BUILDS = _types.MappingProxyType(builds)

cdef bint blocks_are_set = False


def set_blocks(dict blocks):
    """Set the block sizes of every build, once: ``engine/dispatch.py`` does at import.

    Parameters
    ----------
    blocks : {instruction set: {dtype: (l1, l2, kc, mc, nc)}}
        See ``csrc/types.h``; from ``engine/blocking.py``.

    Raises
    ------
    RuntimeError
        If they are set already: the scratch memory of networks depends on them.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.kernels.set_blocks({})
    Traceback (most recent call last):
        ...
    RuntimeError: the block sizes are set already
    """
    global blocks_are_set
    cdef Py_ssize_t i
    cdef const kernels_t *kernels
    if blocks_are_set:
        raise RuntimeError("the block sizes are set already")
    blocks_are_set = True
    for i in range(len(builds)):
        kernels = every_build[i]
        by_dtype = blocks[kernels.isa.decode()]
        for dtype in ("float32", "float64"):
            to = (kernels.f32 if dtype == "float32" else kernels.f64).blocks
            to.l1, to.l2, to.kc, to.mc, to.nc = by_dtype[dtype]


def use(str isa):
    """Compute by the build for an instruction set, a key of ``BUILDS``, from now on.

    It holds for these functions and for networks made after; the processor must have
    that instruction set (``bpcore.engine.dispatch.use`` makes sure of it).

    Raises
    ------
    ValueError
        If there is no build of that name.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.kernels.use(bp.kernels.in_use())
    """
    global build
    if isa not in builds:
        raise ValueError(f"isa must be one of {', '.join(builds)}; got {quoted(isa)}")
    build = every_build[list(builds).index(isa)]


def in_use():
    """The instruction set of the build in use.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.kernels.in_use() in bp.kernels.BUILDS
    True
    """
    return build.isa.decode()


cdef const kernel_table *table_of(str dtype) except NULL:
    """The table of kernels of a dtype, of the build in use."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64; got {quoted(dtype)}")
    return build.f32 if dtype == "float32" else build.f64


def table(str dtype):
    """The table of kernels of one dtype, of the build in use, for the engine.

    Examples
    --------
    >>> import bpcore as bp
    >>> type(bp.kernels.table("float32")).__name__
    'PyCapsule'
    """
    return PyCapsule_New(<void *>table_of(dtype), "bpcore.kernel_table", NULL)


cdef inline const kernel_table *table_for(const real *array) noexcept:
    """The table of kernels of the array's dtype, of the build in use."""
    return build.f32 if real is float else build.f64


include "_kernel_arguments.pxi"


# --- the kernels ----------------------------------------------------------------------


def forward(
    const real[:, ::1] a, const real[:, ::1] W, const real[::1] b, real[:, ::1] out,
    str activation="identity",
):
    """out = f(a @ W + b), one layer forward.

    Parameters
    ----------
    a : array (n, n_in)
    W : array (n_in, n_out)
    b : array (n_out,)
    out : array (n, n_out), overwritten
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 2))
    >>> a, W, b = np.array([[1.0, 2.0]]), np.eye(2), np.array([0.5, -3.0])
    >>> bp.kernels.forward(a, W, b, out, "relu")
    >>> out
    array([[1.5, 0. ]])
    """
    cdef activation_t f = <activation_t>code(activations, "activation", activation)
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = W.shape[1]
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("W", W.shape, n_in, "n_out")
    require_vector("b", b.shape[0], n_out)
    require_matrix("out", out.shape, n, n_out)
    cdef span_t *spans = [
        written("out", view_of(out)), read("a", view_of(a)), read("W", view_of(W)),
        read("b", view_of(b)),
    ]
    cdef const kernel_table *k = table_for(&out[0, 0])
    cdef _Alone one = _Alone(k.room(n, n_in, n_out))
    require_apart(spans, 4)
    with nogil:
        k.forward(&one.worker, &out[0, 0], NULL, &a[0, 0], &W[0, 0], NULL, &b[0],
                  n, n_in, n_out, f)


def propagate(
    const real[:, ::1] delta, const real[:, ::1] W, const real[:, ::1] a,
    real[:, ::1] out, str activation="identity",
):
    """out = (delta @ W.T) * f'(z), the delta of the layer before, given its a = f(z).

    Where ``bpcore.ACTIVATIONS[activation].needs_z``, z must be given for a.

    Parameters
    ----------
    delta : array (n, n_out)
    W : array (n_in, n_out)
    a : array (n, n_in)
    out : array (n, n_in), overwritten
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 2))
    >>> bp.kernels.propagate(np.array([[2.0]]), np.array([[1.0], [3.0]]),
    ...                      np.array([[0.5, 0.0]]), out, "relu")
    >>> out
    array([[2., 0.]])
    """
    cdef activation_t f = <activation_t>code(activations, "activation", activation)
    cdef Py_ssize_t n = delta.shape[0], n_in = W.shape[0], n_out = delta.shape[1]
    require_matrix("delta", delta.shape, "n", "n_out")
    require_matrix("W", W.shape, "n_in", n_out)
    require_matrix("a", a.shape, n, n_in)
    require_matrix("out", out.shape, n, n_in)
    cdef span_t *spans = [
        written("out", view_of(out)), read("delta", view_of(delta)),
        read("W", view_of(W)), read("a", view_of(a)),
    ]
    cdef const kernel_table *k = table_for(&out[0, 0])
    cdef _Alone one = _Alone(k.room(n, n_in, n_out))
    require_apart(spans, 4)
    with nogil:
        k.propagate(&one.worker, &out[0, 0], &delta[0, 0], &W[0, 0], &a[0, 0],
                    n, n_in, n_out, f)


def gradient(
    const real[:, ::1] a, const real[:, ::1] delta, real[:, ::1] dW, real[::1] db,
):
    """dW = a.T @ delta and db = delta.sum(0), stored.

    Parameters
    ----------
    a : array (n, n_in)
    delta : array (n, n_out)
    dW : array (n_in, n_out), overwritten
    db : array (n_out,), overwritten

    Raises
    ------
    ValueError
        If a shape does not fit or an array is empty.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> dW, db = np.empty((1, 1)), np.empty(1)
    >>> bp.kernels.gradient(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]]), dW, db)
    >>> dW, db
    (array([[11.]]), array([7.]))
    """
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = delta.shape[1]
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("delta", delta.shape, n, "n_out")
    require_matrix("dW", dW.shape, n_in, n_out)
    require_vector("db", db.shape[0], n_out)
    cdef span_t *spans = [
        written("dW", view_of(dW)), written("db", view_of(db)),
        read("a", view_of(a)), read("delta", view_of(delta)),
    ]
    cdef const kernel_table *k = table_for(&dW[0, 0])
    cdef _Alone one = _Alone(k.room(n, n_in, n_out))
    require_apart(spans, 4)
    with nogil:
        k.gradient(&one.worker, &dW[0, 0], &db[0], &a[0, 0], &delta[0, 0],
                   n, n_in, n_out)


def update(
    real[:, ::1] W, real[::1] b, const real[:, ::1] a, const real[:, ::1] delta,
    optimizer, real[:, :, ::1] state_W=None, real[:, ::1] state_b=None, step=1,
):
    """One step of an optimizer on W and b in place, no gradient stored.

    The step is the optimizer's, by dW = a.T @ delta and db = delta.sum(0).

    Parameters
    ----------
    W : array (n_in, n_out), updated
    b : array (n_out,), updated
    a : array (n, n_in)
    delta : array (n, n_out)
    optimizer : settings such as ``bpcore.SGD(0.1)``; those of weights for W and b
    state_W : array (k, n_in, n_out), updated; the k arrays of ``optimizer.states``
    state_b : array (k, n_out), updated; both may be None where k is 0
    step : number of this step, from 1 on

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or a state is missing.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> W, b = np.array([[1.0]]), np.array([0.0])
    >>> bp.kernels.update(W, b, np.array([[2.0]]), np.array([[0.5]]), bp.SGD(0.1))
    >>> W, b
    (array([[0.9]]), array([-0.05]))
    """
    cdef _Settings settings = settings_of(optimizer)
    cdef optimizer_t of_W = settings.prepared(step), of_b = of_W
    cdef Py_ssize_t n = a.shape[0], n_in = a.shape[1], n_out = delta.shape[1]
    cdef real *s_W = NULL
    cdef real *s_b = NULL
    require_matrix("a", a.shape, "n", "n_in")
    require_matrix("delta", delta.shape, n, "n_out")
    require_matrix("W", W.shape, n_in, n_out)
    require_vector("b", b.shape[0], n_out)
    require_state("state_W", settings, NULL if state_W is None else state_W.shape,
                  (n_in, n_out))
    require_state("state_b", settings, NULL if state_b is None else state_b.shape,
                  (n_out,))
    cdef Py_ssize_t size = n_in * n_out
    if settings.states:
        s_W, s_b = &state_W[0, 0, 0], &state_b[0, 0]
        of_W.state_apart, of_b.state_apart = size, n_out
    cdef span_t *spans = [
        written("W", view_of(W)), written("b", view_of(b)),
        read("a", view_of(a)), read("delta", view_of(delta)),
        written("state_W", view_of(state_W)), written("state_b", view_of(state_b)),
    ]
    cdef const kernel_table *k = table_for(&W[0, 0])
    cdef _Alone one = _Alone(k.room(n, n_in, n_out))
    require_usable(spans, 6)
    require_apart(spans, 6)
    with nogil:
        k.update(&one.worker, &W[0, 0], &b[0], s_W, s_b, &a[0, 0], &delta[0, 0],
                 n, n_in, n_out, &of_W, &of_b)


def descend(
    real[::1] w, const real[::1] g, optimizer, real[:, ::1] state=None, step=1,
):
    """The step of `update` from a stored gradient, over flat arrays.

    Parameters
    ----------
    w : array (size,), updated
    g : array (size,)
    optimizer : settings such as ``bpcore.SGD(0.1)``
    state : array (k, size), updated; the k arrays of ``optimizer.states``
    step : number of this step, from 1 on

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the state is missing.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> w = np.array([1.0, 2.0])
    >>> bp.kernels.descend(w, np.array([1.0, -1.0]), bp.SGD(0.5))
    >>> w
    array([0.5, 2.5])
    """
    cdef _Settings settings = settings_of(optimizer)
    cdef optimizer_t of_w = settings.prepared(step)
    cdef Py_ssize_t size = w.shape[0]
    cdef real *s = NULL
    require_some("w", size)
    require_vector("g", g.shape[0], size)
    require_state("state", settings, NULL if state is None else state.shape, (size,))
    if settings.states:
        s, of_w.state_apart = &state[0, 0], size
    cdef span_t *spans = [
        written("w", view_of(w)), read("g", view_of(g)),
        written("state", view_of(state)),
    ]
    require_usable(spans, 3)
    require_apart(spans, 3)
    cdef const kernel_table *k = table_for(&w[0])
    cdef _Alone one = _Alone()
    with nogil:
        k.descend(&one.worker, &w[0], s, &g[0], size, &of_w)


def limit_norms(real[:, ::1] W, most):
    """W[:, j] = W[:, j] min(1, most / ||W[:, j]||) in place.

    Parameters
    ----------
    W : array (n_in, n_out), updated
    most : the largest norm of a column, above 0

    Raises
    ------
    ValueError
        If W is empty or `most` is not above 0.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> W = np.array([[3.0, 0.0], [4.0, 1.0]])
    >>> bp.kernels.limit_norms(W, 2.5)
    >>> W
    array([[1.5, 0. ],
           [2. , 1. ]])
    """
    cdef double limit = positive("most", most)
    require_matrix("W", W.shape, "n_in", "n_out")
    cdef span_t *spans = [written("W", view_of(W))]
    require_usable(spans, 1)
    cdef const kernel_table *k = table_for(&W[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.limit_norms(&one.worker, &W[0, 0], limit, W.shape[0], W.shape[1])


def clip_norm(real[::1] g, most):
    """g = g min(1, most / (||g|| + 1e-6)) in place; returns ||g|| before.

    Parameters
    ----------
    g : array (size,), updated
    most : the largest norm, above 0

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If g is empty or `most` is not above 0.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> g = np.array([3.0, 4.0])
    >>> bp.kernels.clip_norm(g, 1.0), g.round(3)
    (5.0, array([0.6, 0.8]))
    """
    cdef double limit = positive("most", most)
    require_some("g", g.shape[0])
    cdef Py_ssize_t size = g.shape[0], blocks = (size + SQUARES - 1) // SQUARES
    cdef const kernel_table *k = table_for(&g[0])
    cdef _Alone one = _Alone(blocks * sizeof(double))
    cdef span_t *spans = [written("g", view_of(g))]
    require_usable(spans, 1)
    cdef double *sums = <double *>one.worker.room
    cdef double before
    with nogil:
        before = k.norm(&one.worker, sums, &g[0], size)
        if before + 1e-6 > limit:
            k.scale(&one.worker, &g[0], limit / (before + 1e-6), size)
    return before


def add(real[::1] total, const real[::1] g):
    """total = total + g in place.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> total = np.ones(2)
    >>> bp.kernels.add(total, np.array([1.0, 2.0]))
    >>> total
    array([2., 3.])
    """
    require_some("total", total.shape[0])
    require_vector("g", g.shape[0], total.shape[0])
    cdef span_t *spans = [
        written("total", view_of(total)), read("g", view_of(g)),
    ]
    require_apart(spans, 2)
    cdef const kernel_table *k = table_for(&total[0])
    cdef _Alone one = _Alone()
    with nogil:
        k.add(&one.worker, &total[0], &g[0], total.shape[0])


cdef normalisation_t which_normalisation(str kind) except *:
    if kind not in ("batch", "layer"):
        raise ValueError(f"kind must be 'batch' or 'layer'; got {quoted(kind)}")
    return <normalisation_t><int>normalisations[kind]


def normalise(
    real[:, ::1] y, real[:, ::1] hat, real[::1] inverse, real[:, ::1] moments,
    const real[::1] gain, const real[::1] shift, str kind,
):
    """hat = (u - mean) / sqrt(variance + 1e-5),  y = gain hat + shift.

    Mean and variance are those of each column ("batch", Ioffe and Szegedy 2015) or of
    each row ("layer", Ba, Kiros and Hinton 2016), the variance over n.

    Parameters
    ----------
    y : array (n, n_out), overwritten
    hat : array (n, n_out), u before
    inverse : array (max(n, n_out),), overwritten by 1 / sqrt(variance + 1e-5)
    moments : array (2, n_out), overwritten by mean and variance for "batch"
    gain, shift : array (n_out,)
    kind : "batch" or "layer"

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the kind is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> hat, y = np.array([[1.0], [3.0]]), np.empty((2, 1))
    >>> bp.kernels.normalise(y, hat, np.empty(2), np.empty((2, 1)), np.array([2.0]),
    ...                      np.array([0.5]), "batch")
    >>> y.round(3)
    array([[-1.5],
           [ 2.5]])
    """
    cdef normalisation_t which = which_normalisation(kind)
    cdef Py_ssize_t n = hat.shape[0], n_out = hat.shape[1]
    require_matrix("hat", hat.shape, "n", "n_out")
    require_matrix("y", y.shape, n, n_out)
    require_vector("inverse", inverse.shape[0], max(n, n_out))
    require_matrix("moments", moments.shape, 2, n_out)
    require_vector("gain", gain.shape[0], n_out)
    require_vector("shift", shift.shape[0], n_out)
    cdef span_t *spans = [
        written("y", view_of(y)), written("hat", view_of(hat)),
        written("inverse", view_of(inverse)),
        written("moments", view_of(moments)),
        read("gain", view_of(gain)), read("shift", view_of(shift)),
    ]
    require_apart(spans, 6)
    cdef const kernel_table *k = table_for(&y[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.normalise(&one.worker, &y[0, 0], &hat[0, 0], &inverse[0], &moments[0, 0],
                    &gain[0], &shift[0], n, n_out, which)


def normalise_back(
    real[:, ::1] delta, real[::1] dgain, real[::1] dshift, const real[:, ::1] hat,
    const real[::1] inverse, const real[::1] gain, str kind,
):
    """delta = dE/du from delta = dE/dy in place; dgain and dshift, after `normalise`.

    ::

        dgain = sum over i of delta hat,  dshift = sum over i of delta,  d = delta gain
        delta = inverse (d - mean(d) - hat mean(d hat))

    Parameters
    ----------
    delta : array (n, n_out), overwritten
    dgain, dshift : array (n_out,), overwritten
    hat, inverse, gain, kind : those of the call of `normalise`

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the kind is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta, dgain, dshift = np.array([[1.0], [0.0]]), np.empty(1), np.empty(1)
    >>> bp.kernels.normalise_back(delta, dgain, dshift, np.array([[-1.0], [1.0]]),
    ...                           np.ones(2), np.ones(1), "batch")
    >>> dgain, dshift
    (array([-1.]), array([1.]))
    """
    cdef normalisation_t which = which_normalisation(kind)
    cdef Py_ssize_t n = delta.shape[0], n_out = delta.shape[1]
    require_matrix("delta", delta.shape, "n", "n_out")
    require_vector("dgain", dgain.shape[0], n_out)
    require_vector("dshift", dshift.shape[0], n_out)
    require_matrix("hat", hat.shape, n, n_out)
    require_vector("inverse", inverse.shape[0], max(n, n_out))
    require_vector("gain", gain.shape[0], n_out)
    cdef span_t *spans = [
        written("delta", view_of(delta)), written("dgain", view_of(dgain)),
        written("dshift", view_of(dshift)), read("hat", view_of(hat)),
        read("inverse", view_of(inverse)), read("gain", view_of(gain)),
    ]
    require_apart(spans, 6)
    cdef const kernel_table *k = table_for(&delta[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.normalise_back(&one.worker, &delta[0, 0], &dgain[0], &dshift[0],
                         &hat[0, 0], &inverse[0], &gain[0], n, n_out, which)


def follow(real[:, ::1] running, const real[:, ::1] moments, n):
    """running = running + 0.1 (moments - running) in place, moments of n rows.

    The variance, moments[1], is first taken times n / (n - 1).

    Raises
    ------
    ValueError
        If a shape does not fit or n is below 1.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> running = np.array([[0.0], [1.0]])
    >>> bp.kernels.follow(running, np.array([[10.0], [0.5]]), 2)
    >>> running
    array([[1.],
           [1.]])
    """
    cdef Py_ssize_t rows = whole_number("n", n, 1, PY_SSIZE_T_MAX)
    require_matrix("running", running.shape, 2, "n_out")
    require_matrix("moments", moments.shape, 2, running.shape[1])
    cdef span_t *spans = [
        written("running", view_of(running)), read("moments", view_of(moments)),
    ]
    require_usable(spans, 2)
    require_apart(spans, 2)
    cdef const kernel_table *k = table_for(&running[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.follow(&one.worker, &running[0, 0], &moments[0, 0], rows, running.shape[1])


def fold(
    real[:, ::1] W_folded, real[::1] b_folded, const real[:, ::1] W,
    const real[::1] shift, const real[::1] gain, const real[:, ::1] running,
):
    """W_folded = W s and b_folded = shift - mean s, s = gain / sqrt(variance + 1e-5).

    a @ W_folded + b_folded is then equal to batch norm of a @ W by the running mean and
    variance, the rows of `running` (2, n_out).

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> W, b = np.empty((1, 1)), np.empty(1)
    >>> bp.kernels.fold(W, b, np.array([[3.0]]), np.array([1.0]), np.array([2.0]),
    ...                 np.array([[5.0], [4.0]]))
    >>> W.round(3), b.round(3)
    (array([[3.]]), array([-4.]))
    """
    cdef Py_ssize_t n_in = W.shape[0], n_out = W.shape[1]
    require_matrix("W", W.shape, "n_in", "n_out")
    require_matrix("W_folded", W_folded.shape, n_in, n_out)
    require_vector("b_folded", b_folded.shape[0], n_out)
    require_vector("shift", shift.shape[0], n_out)
    require_vector("gain", gain.shape[0], n_out)
    require_matrix("running", running.shape, 2, n_out)
    cdef span_t *spans = [
        written("W_folded", view_of(W_folded)), written("b_folded", view_of(b_folded)),
        read("W", view_of(W)),
        read("shift", view_of(shift)), read("gain", view_of(gain)),
        read("running", view_of(running)),
    ]
    require_apart(spans, 6)
    cdef const kernel_table *k = table_for(&W_folded[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.fold(&one.worker, &W_folded[0, 0], &b_folded[0], &W[0, 0], &shift[0],
               &gain[0], &running[0, 0], n_in, n_out)


def scale_rows(
    const real[:, ::1] x, const real[::1] scale, real[:, ::1] out,
):
    """out = x * scale, each column with a factor of its own.

    Parameters
    ----------
    x : array (n, width)
    scale : array (width,)
    out : array (n, width), overwritten; may be x

    Raises
    ------
    ValueError
        If a shape does not fit or an array is empty.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 2))
    >>> bp.kernels.scale_rows(np.array([[1.0, 2.0]]), np.array([0.5, 3.0]), out)
    >>> out
    array([[0.5, 6. ]])
    """
    cdef Py_ssize_t n = x.shape[0], width = x.shape[1]
    require_matrix("x", x.shape, "n", "width")
    require_vector("scale", scale.shape[0], width)
    require_matrix("out", out.shape, n, width)
    require_same_or_apart(view_of(out), view_of(x))
    cdef span_t *spans = [
        written("out", view_of(out)), read("scale", view_of(scale)),
    ]
    require_apart(spans, 2)
    cdef const kernel_table *k = table_for(&out[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.scale_rows(&one.worker, &out[0, 0], &x[0, 0], &scale[0], n, width)


def scale_rows_back(
    real[:, ::1] delta, real[::1] dscale, const real[:, ::1] x, const real[::1] scale,
):
    """delta = dE/dx from delta = dE/d(x * scale) in place; and dscale.

    ::

        dscale = sum over i of delta x,  delta = delta scale

    Parameters
    ----------
    delta : array (n, width), overwritten
    dscale : array (width,), overwritten
    x : array (n, width)
    scale : array (width,)

    Raises
    ------
    ValueError
        If a shape does not fit or an array is empty.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta, dscale = np.array([[1.0], [2.0]]), np.empty(1)
    >>> x, scale = np.array([[3.0], [4.0]]), np.array([0.5])
    >>> bp.kernels.scale_rows_back(delta, dscale, x, scale)
    >>> delta.ravel(), dscale
    (array([0.5, 1. ]), array([11.]))
    """
    cdef Py_ssize_t n = delta.shape[0], width = delta.shape[1]
    require_matrix("delta", delta.shape, "n", "width")
    require_vector("dscale", dscale.shape[0], width)
    require_matrix("x", x.shape, n, width)
    require_vector("scale", scale.shape[0], width)
    cdef span_t *spans = [
        written("delta", view_of(delta)), written("dscale", view_of(dscale)),
        read("x", view_of(x)), read("scale", view_of(scale)),
    ]
    require_apart(spans, 4)
    cdef const kernel_table *k = table_for(&delta[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.scale_rows_back(&one.worker, &delta[0, 0], &dscale[0], &x[0, 0], &scale[0], n,
                          width)


def drop(const real[:, ::1] x, real[:, ::1] out, key, p):
    """out = x / (1 - p), or 0 with probability p: inverted dropout.

    Which elements are 0 depends on the key, the row and the column only
    (csrc/random.h).

    Parameters
    ----------
    x : array (n, width)
    out : array (n, width), overwritten; may be x
    key : any 64 bits
    p : at least 0 and below 1

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or p is out of range.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((1, 4))
    >>> bp.kernels.drop(np.ones((1, 4)), out, 3, 0.5)
    >>> sorted(set(out.ravel().tolist()))
    [0.0, 2.0]
    """
    cdef uint64_t bits = word("key", key)
    cdef double probability = real_number("p", p)
    if not 0 <= probability < 1:
        raise ValueError(f"p must be at least 0 and below 1; got {probability}")
    require_matrix("x", x.shape, "n", "width")
    require_matrix("out", out.shape, x.shape[0], x.shape[1])
    require_same_or_apart(view_of(out), view_of(x))
    cdef const kernel_table *k = table_for(&out[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.drop(&one.worker, &out[0, 0], &x[0, 0], bits, probability, x.shape[0],
               x.shape[1])


def add_noise(const real[:, ::1] x, real[:, ::1] out, key, size):
    """out = x + size times standard normal numbers, by the key, the row and the column.

    Parameters
    ----------
    x : array (n, width)
    out : array (n, width), overwritten; may be x
    key : any 64 bits
    size : the standard deviation, at least 0

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or `size` is negative.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty((100, 100))
    >>> bp.kernels.add_noise(np.zeros((100, 100)), out, 3, 2.0)
    >>> bool(abs(out.std() - 2) < 0.05)
    True
    """
    cdef uint64_t bits = word("key", key)
    cdef double deviation = real_number("size", size)
    if not deviation >= 0:
        raise ValueError(f"size must be at least 0; got {deviation}")
    require_matrix("x", x.shape, "n", "width")
    require_matrix("out", out.shape, x.shape[0], x.shape[1])
    require_same_or_apart(view_of(out), view_of(x))
    cdef const kernel_table *k = table_for(&out[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.add_noise(&one.worker, &out[0, 0], &x[0, 0], bits, deviation, x.shape[0],
                    x.shape[1])


def activate(real[:, ::1] z, str activation):
    """z = f(z) in place.

    sigmoid, softmax, exp, silu, mish and softplus are 0 where they would be subnormal.

    Parameters
    ----------
    z : array (n, n_out), overwritten
    activation : name of f, a key of ``ACTIVATIONS``; softmax acts on each row

    Raises
    ------
    ValueError
        If z is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> z = np.array([[0.0, 0.0]])
    >>> bp.kernels.activate(z, "softmax")
    >>> z
    array([[0.5, 0.5]])
    """
    cdef activation_t f = <activation_t>code(activations, "activation", activation)
    require_matrix("z", z.shape, "n", "n_out")
    cdef span_t *spans = [written("z", view_of(z))]
    require_usable(spans, 1)
    cdef const kernel_table *k = table_for(&z[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.activate(&one.worker, &z[0, 0], &z[0, 0], z.shape[0], z.shape[1], f)


def times_derivative(real[:, ::1] delta, const real[:, ::1] a, str activation):
    """delta = delta * f'(z) in place, given a = f(z), or z where ``needs_z`` is true.

    For softmax the product with the Jacobian: delta = a * (delta - sum(delta * a)).
    Subnormal numbers become 0.

    Parameters
    ----------
    delta : array (n, n_out), overwritten
    a : array (n, n_out)
    activation : name of f, a key of ``ACTIVATIONS``

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta = np.array([[1.0, 1.0]])
    >>> bp.kernels.times_derivative(delta, np.array([[0.5, 1.0]]), "sigmoid")
    >>> delta
    array([[0.25, 0.  ]])
    """
    cdef activation_t f = <activation_t>code(activations, "activation", activation)
    require_matrix("delta", delta.shape, "n", "n_out")
    require_matrix("a", a.shape, delta.shape[0], delta.shape[1])
    cdef span_t *spans = [
        written("delta", view_of(delta)), read("a", view_of(a)),
    ]
    require_apart(spans, 2)
    cdef const kernel_table *k = table_for(&delta[0, 0])
    cdef _Alone one = _Alone()
    with nogil:
        k.times_derivative(&one.worker, &delta[0, 0], &a[0, 0], a.shape[0],
                           a.shape[1], f)


# The default setting of the losses that have one (bpcore/losses); 0 of the others.
cdef dict DEFAULT_SETTINGS = {
    "huber": 1.0, "quantile": 0.5, "poisson": 1e-8,
    "log_loss": INFINITY, "binary_log_loss": INFINITY,
}


def loss(
    const real[:, ::1] z, real[:, ::1] delta, str name, const real[:, ::1] y=None,
    const int64_t[::1] labels=None, const double[::1] weight=None, setting=None,
):
    """Weighted mean loss of a mini-batch, and its derivative by z in delta.

    With E one row's loss and w its weight: sum(w E) / sum(w), and
    delta[i] = w[i] dE/dz[i] / sum(w), 0 if subnormal.  The cross-entropies, log losses,
    kl_divergence and poisson_of_log take the values before their softmax, sigmoid or
    exp for z, the others activations.  The log losses are cross-entropies whose terms
    are clipped to -log(1 - eps) .. -log(eps), with the derivatives of those that are
    not.

    Parameters
    ----------
    z : array (n, n_out)
    delta : array (n, n_out), overwritten
    name : name of E, a key of ``LOSSES``
    y : array (n, n_out), the targets
    labels : int64 array (n,), each in 0 .. n_out - 1, in place of y; for
        "cross_entropy" and "log_loss"
    weight : float64 array (n,), or None for ones
    setting : float, the loss's own number (``bpcore.losses``), or None for its default:
        delta = 1 of "huber", q = 0.5 of "quantile", 1e-8 of "poisson", -log(eps)
        = infinity of the log losses, 0 of others

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a shape does not fit, an array is empty, the name is unknown, a label is out
        of range, the weights do not have a sum above 0, or not exactly one of y and
        labels is given.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> delta = np.empty((1, 2))
    >>> z, y = np.array([[3.0, 1.0]]), np.array([[1.0, 1.0]])
    >>> bp.kernels.loss(z, delta, "squared_error", y)
    2.0
    >>> delta
    array([[2., 0.]])
    """
    cdef loss_t kind = <loss_t>code(losses, "name", name)
    cdef Py_ssize_t i, n = z.shape[0], n_out = z.shape[1]
    cdef double total = 0, weights = n
    if setting is None:
        setting = DEFAULT_SETTINGS.get(name, 0.0)
    cdef double number = real_number("setting", setting)
    cdef targets_t targets
    cdef span_t *spans = [
        written("delta", view_of(delta)), read("z", view_of(z)), read("y", view_of(y)),
        read("labels", view_of(labels)), read("weight", view_of(weight)),
    ]
    require_usable(spans, 5)
    memset(&targets, 0, sizeof(targets_t))
    require_matrix("z", z.shape, "n", "n_out")
    require_matrix("delta", delta.shape, n, n_out)
    if (y is None) == (labels is None):
        raise ValueError("exactly one of y and labels must be given")
    if y is not None:
        require_matrix("y", y.shape, n, n_out)
        targets.y = &y[0, 0]
    else:
        if kind not in (CROSS_ENTROPY, LOG_LOSS):
            raise ValueError(f"{name} takes y; got labels")
        require_vector("labels", labels.shape[0], n)
        for i in range(n):
            if not 0 <= labels[i] < n_out:
                raise ValueError(
                    f"labels must lie in 0 .. {n_out - 1}; got {labels[i]}"
                )
        targets.labels = &labels[0]
    if weight is not None:
        require_vector("weight", weight.shape[0], n)
        targets.weight, targets.weights = &weight[0], 1
        weights = 0
        for i in range(n):
            weights += weight[i]
        if not weights > 0:
            raise ValueError(f"weight must have a sum above 0; got {weights}")
    cdef const kernel_table *k = table_for(&delta[0, 0])
    cdef _Alone one = _Alone(n * sizeof(double))
    require_apart(spans, 5)
    cdef double *E = <double *>one.worker.room
    with nogil:
        k.loss(&one.worker, E, &delta[0, 0], &z[0, 0], &targets, 1 / weights,
               n, n_out, kind, number)
        for i in range(n):
            total += E[i]
    return total / weights


def elementary(str name, const real[::1] x, real[::1] out):
    """out = exp, log, tanh or another function of x: the library's own.

    They are within 2 ulp, normal_cdf within 2^-23 (float32) or 2^-52 in all; expm1 is
    that of min(x, 0).

    Parameters
    ----------
    name : a key of ``ELEMENTARY``
    x : array (size,)
    out : array (size,), overwritten; may be x

    Raises
    ------
    ValueError
        If the sizes differ, are 0 or the name is unknown.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> out = np.empty(2)
    >>> bp.kernels.elementary("exp", np.array([0.0, -np.inf]), out)
    >>> out
    array([1., 0.])
    """
    cdef elementary_t f = <elementary_t>code(elementary_functions, "name", name)
    require_some("x", x.shape[0])
    require_vector("out", out.shape[0], x.shape[0])
    require_same_or_apart(view_of(out), view_of(x))
    cdef const kernel_table *k = table_for(&out[0])
    cdef _Alone _one = _Alone()  # for its arithmetic
    with nogil:
        k.elementary(f, &out[0], &x[0], x.shape[0])


def all_between(const real[::1] x, low, high):
    """Whether low <= x[i] <= high for every i (NaN is not), as a bool.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> bp.kernels.all_between(np.array([0.0, 0.5]), 0.0, 1.0)
    True
    >>> bp.kernels.all_between(np.array([0.0, np.nan]), 0.0, 1.0)
    False
    """
    cdef bint inside
    cdef double least = real_number("low", low), most = real_number("high", high)
    if x is None:
        raise TypeError("x must be an array; got None")
    if x.shape[0] == 0:
        return True
    cdef span_t *spans = [read("x", view_of(x))]
    require_usable(spans, 1)
    cdef const kernel_table *k = table_for(&x[0])
    cdef arithmetic_t before = begin_arithmetic()
    if x.shape[0] < QUICK:
        inside = k.all_between(&x[0], x.shape[0], least, most)
    else:
        with nogil:
            inside = k.all_between(&x[0], x.shape[0], least, most)
    end_arithmetic(before)
    return bool(inside)


cdef bint scale_robustly(
    const double[:, :] x, const double[::1] centre, const double[::1] factor,
    float[:, :] out,
) noexcept nogil:
    """The loop of `robust_scale`."""
    cdef Py_ssize_t i, j
    cdef double t
    cdef bint finite = True
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            t = (x[i, j] - centre[j]) * factor[j] / 3
            finite &= x[i, j] - x[i, j] == 0 or x[i, j] != x[i, j]
            # Its square is finite; the comparison is false for NaN.
            t = t if fabs(t) < 1e150 else copysign(1e150, t)
            t = t if factor[j] != 0 and x[i, j] == x[i, j] else 0
            out[i, j] = <float>(3 * t / sqrt(1 + t * t))
    return finite


def robust_scale(
    const double[:, :] x not None, const double[::1] centre not None,
    const double[::1] factor not None, float[:, :] out not None,
):
    """out = 3 t / sqrt(1 + t^2) with t = (x - centre) factor / 3.

    0 where x is NaN or the factor is 0.

    Column by column; near (x - centre) factor where that is small, and between -3 and 3
    everywhere.

    Parameters
    ----------
    x : float64 array (n, n_columns)
    centre, factor : float64 arrays (n_columns,)
    out : float32 array (n, n_columns), overwritten

    Returns
    -------
    bool
        Whether every x is finite or NaN.

    Raises
    ------
    ValueError
        If a shape does not fit.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> x, out = np.array([[1.0, 1e9], [np.nan, 3.0]]), np.empty((2, 2), np.float32)
    >>> bp.kernels.robust_scale(x, np.zeros(2), np.ones(2), out)
    True
    >>> out.round(3)
    array([[0.949, 3.   ],
           [0.   , 2.121]], dtype=float32)
    """
    cdef Py_ssize_t n = x.shape[0], n_columns = x.shape[1]
    cdef bint finite
    require_matrix("out", out.shape, n, n_columns)
    require_vector("centre", centre.shape[0], n_columns)
    require_vector("factor", factor.shape[0], n_columns)
    cdef span_t *spans = [
        read("x", view_of(x)), read("centre", view_of(centre)),
        read("factor", view_of(factor)), written("out", view_of(out)),
    ]
    require_usable(spans, 4)
    cdef _Alone _one = _Alone()  # for its arithmetic
    if n * n_columns < QUICK:
        return scale_robustly(x, centre, factor, out)
    with nogil:
        finite = scale_robustly(x, centre, factor, out)
    return finite


def scratch_bytes(str dtype, n, n_in, n_out):
    """Bytes of scratch memory that a worker needs for one layer of n rows.

    Parameters
    ----------
    dtype : "float32" or "float64"
    n, n_in, n_out : rows, inputs and units of the layer, from 1 to 2^24

    Returns
    -------
    reserved, used
        The engine reserves the first number; it suffices for up to n rows.  The second
        is what the products of n rows use of it, never more than the first.

    Raises
    ------
    ValueError
        If the dtype is unknown or a number is out of range.

    Examples
    --------
    >>> import bpcore as bp
    >>> reserved, used = bp.kernels.scratch_bytes("float32", 32, 784, 128)
    >>> used <= reserved
    True
    """
    cdef Py_ssize_t most = 1 << 24
    cdef Py_ssize_t rows = whole_number("n", n, 1, most)
    cdef Py_ssize_t inputs = whole_number("n_in", n_in, 1, most)
    cdef Py_ssize_t units = whole_number("n_out", n_out, 1, most)
    cdef const kernel_table *k = table_of(dtype)
    return k.room(rows, inputs, units), k.taken(rows, inputs, units)


def fma_loop(real[::1] out, iterations):
    """Run fused multiply-adds in registers, to measure how many a second there are.

    Parameters
    ----------
    out : array (1,) or longer; out[0] is read and overwritten, so nothing is elided
    iterations : number of rounds, from 0 to 2^48

    Returns
    -------
    int
        The scalar multiply-adds executed.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> bp.kernels.fma_loop(np.zeros(1), 1000) >= 10_000
    True
    """
    cdef Py_ssize_t count, rounds = whole_number("iterations", iterations, 0, 1 << 48)
    require_some("out", out.shape[0])
    cdef span_t *spans = [written("out", view_of(out))]
    require_usable(spans, 1)
    cdef const kernel_table *k = table_for(&out[0])
    with nogil:
        count = k.fma_loop(&out[0], rounds)
    return count
