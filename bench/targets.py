"""Performance targets of the library, as data.

They are for one thread (except those of threads) on a CPU with AVX-512, float32,
gradient descent with momentum, and arrays of the network's dtype, where their titles do
not say something else.
"""

from . import grid_targets
from .footprint import PATHS
from .sparse_rows import BATCH
from .target import Target

_PEERS = {
    "by_hand": "NumPy by hand",
    "torch": "PyTorch",
    "jax": "JAX",
    "sklearn": "scikit-learn",
    "onnxruntime": "onnxruntime",
}

#: Network, batch size; limit of a step's time, absolute or over the floor; and least
#: ratios of peers' times to it: NumPy by hand, PyTorch, JAX, scikit-learn.
_STEPS = (
    ("2-16-2", 1, {"seconds": 1.5e-6}, (15, 100, 15, 80)),
    ("4-64-64-2", 1, {"seconds": 2.5e-6}, (20, 110, 20, 80)),
    ("4-64-64-2", 32, {"over_floor": 2.2}, (6.5, 35, 9, 28)),
    ("784-128-10", 1, {"over_floor": 1.5}, (12, 12, 3.5, 18)),
    ("784-128-10", 32, {"over_floor": 1.5}, (3.2, 6.5, 3.4, 8)),
    ("784-128-10", 128, {"over_floor": 1.35}, (1.9, 3, 1.9, 4)),
    ("784-1024-1024-10", 128, {"over_floor": 1.3}, (1.8, 1.75, 1.75, 3)),
    ("2048-2048-2048-2048", 256, {"over_floor": 1.2}, (1.65, 1.5, 1.65, 2.3)),
)

#: The least ratios at all of these, on CPUs without AVX-512 too.
_ANYWHERE = {"by_hand": 1.2, "torch": 1, "jax": 1}

#: Factor of NumPy's ratios for float64.
_FLOAT64 = 0.9


def _over(record, task, net, batch, peer, least):
    title = f"{task}: {_PEERS[peer]} over bpcore"
    at = {"net": net, "batch": batch}
    return Target(record, title, at, f"peers.{peer}.over_bpcore", least=least)


def _own(record, title, net, batch, figure, most):
    return Target(
        record, title, {"net": net, "batch": batch}, f"peers.bpcore.{figure}", most=most
    )


def _steps():
    titles = {"seconds": "step: bpcore", "over_floor": "step: bpcore over the floor"}
    for net, batch, own, ratios in _STEPS:
        for figure, most in own.items():
            yield _own("step", titles[figure], net, batch, figure, most)
        for peer, least in zip(_PEERS, ratios, strict=False):
            yield _over("step", "step", net, batch, peer, least)
    for net, batch, *_ in _STEPS:
        for peer, least in _ANYWHERE.items():
            yield _over("step", "step on any CPU", net, batch, peer, least)
    for net, batch, _, (by_hand, *_) in _STEPS:
        least = round(_FLOAT64 * by_hand, 3)
        yield _over("step_float64", "step in float64", net, batch, "by_hand", least)
    # At least 80 % of the peak, since arithmetic limits this network.
    yield _own(
        "step_x86_64_v3",
        "step with AVX2: bpcore over the floor",
        *("784-1024-1024-10", 128, "over_floor"),
        most=1 / 0.8,
    )


def _predictions():
    small, large = "4-64-64-2", "784-128-10"
    yield _own("predict", "prediction: bpcore", small, 1, "seconds", 1e-6)
    yield _over("predict", "prediction", small, 1, "onnxruntime", 5)
    yield _over("predict", "prediction", large, 1, "onnxruntime", 2)
    for net in (small, large):
        for batch in (32, 256, 1024, 8192):
            for peer in ("by_hand", "torch", "onnxruntime"):
                yield _over("predict", "prediction", net, batch, peer, 1)


def _per_sample():
    for net, least in (("2-16-2", 1), ("4-64-64-2", 5), ("784-128-10", 4)):
        title = "fit sample by sample: FANN over bpcore"
        figure = "peers.fann.over_bpcore"
        yield Target("fann", title, {"net": net, "batch": 1}, figure, least=least)


def _threads():
    for net, batch, least in (
        ("2048-2048-2048-2048", 256, 1.85),
        ("784-1024-1024-10", 128, 1.7),
    ):
        title = "step: one thread over two"
        at = {"net": net, "batch": batch}
        yield Target("threads", title, at, "threads.2.speedup", least=least)
    for net, batch, *_ in _STEPS:
        title = 'step: one thread over "auto"'
        at = {"net": net, "batch": batch}
        yield Target("threads", title, at, "threads.auto.speedup", least=1, tie=True)
    title = "fit: two networks in two Python threads over one"
    at = {"net": "784-128-10", "batch": 32, "networks": 2}
    yield Target("threads", title, at, "throughput", least=1.9)


def _training():
    at = {"net": "784-128-10", "batch": 128}
    for name, most in (("Adam", 1.25), ("dropout", 1.1)):
        title = f"step with {name} over a plain one"
        figure = f"variants.{name}.over_plain"
        yield Target("training", title, at, figure, most=most)
    for net in ("2-16-2", "4-64-64-2", "784-128-10"):
        for name, usual in (("learn_one", "train_step"), ("predict_one", "predict")):
            title = f"{name} over {usual} on one row"
            at = {"net": net, "batch": 1}
            figure = f"single.{name}.over_usual"
            yield Target("training", title, at, figure, most=1.2)
    title = "fit_many: 64 networks on two cores over one"
    at = {"net": "10-32-1", "fitted": 64, "cores": 2}
    yield Target("threads", title, at, "throughput", least=1.8)


def _tracing():
    for optimizer in ("SGD", "Adam"):
        for threads in (1, 2):
            title = f"trace over a stored-gradient step, {optimizer}, {threads} thread"
            at = {"net": "784-1024-1024-10", "batch": 128}
            at |= {"optimizer": optimizer, "threads": threads}
            figure = "steps.trace.over_stored"
            yield Target("tracing", title + "s" * (threads > 1), at, figure, most=3)


def _sparse():
    # Momentum and Adam must still move their state where an input is 0.
    for batch, method, optimizer, least in (
        (1, "predict_one", "SGD", 2.5),
        (1, "learn_one", "SGD", 2),
        (1, "learn_one", "momentum", 1.15),
        (1, "learn_one", "Adam", 1.15),
        (BATCH, "predict", "SGD", 1.15),
        (BATCH, "train_step", "SGD", 1.2),
    ):
        title = f"{method}, {optimizer}: dense rows over rows with 80 % zeros"
        at = {"net": "784-128-10", "batch": batch}
        at |= {"method": method, "optimizer": optimizer}
        figure = "rows.margins.dense_over_it"
        yield Target("sparse", title, at, figure, least=least)


def _drop_ins():
    # On CPUs without AVX-512; with it 5 and 9 are wanted for the digits.
    for case, *least in (
        ("digits, default settings", 2.5, 5),
        ("MNIST, 784-128-10, adam", 1.8, 3),
        ("a search of fits of 50 rows, 16 units", 12, 12),
        ("predict one row", 30, 30),
    ):
        for dtype, ratio in zip(("float64", "float32"), least, strict=True):
            title = f"{case}: scikit-learn over its drop-in"
            at = {"case": case, "dtype": dtype}
            yield Target("drop_ins", title, at, "over_bpcore", least=ratio)


def _memory():
    for net, batch in (
        ("784-128-10", 128),
        ("784-1024-1024-10", 128),
        ("2048-2048-2048-2048", 256),
    ):
        for path in PATHS:
            for measured in ("allocated", "resident"):
                title = f"memory of {path}, {measured}, beyond what it needs"
                at = {"net": net, "batch": batch, "path": path}
                yield Target("memory", title, at, f"{measured}_beyond", most=4e6)


def _files():
    for action in ("save", "load"):
        title = f"{action} ten million parameters, over NumPy"
        yield Target("files", title, {"action": action}, "over_numpy", most=1.2)
    title = "load ten million parameters, mapped, ms"
    yield Target("files", title, {"action": "load, mmap"}, "ms", most=1.0)


TARGETS = (
    *_steps(),
    *_predictions(),
    *_per_sample(),
    *_threads(),
    *_training(),
    *_tracing(),
    *_sparse(),
    *_drop_ins(),
    *_memory(),
    *_files(),
    *grid_targets.ALL,
)


def of(record):
    """The targets of one record."""
    return [target for target in TARGETS if target.record == record]
