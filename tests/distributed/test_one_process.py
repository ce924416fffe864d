"""One process: the same bits as accumulated mini-batches, and no MPI."""

import subprocess
import sys
import weakref

import numpy as np
import pytest

import bpcore as bp
from bpcore import distributed
from bpcore.batches.weights import scaled_to_mean_1
from helpers import everything
from helpers.optimizers import OPTIMIZERS
from helpers.sharded import (
    LABELS,
    QUIET,
    SOME_ZERO,
    WEIGHT,
    WIDE,
    MiniBatches,
    X,
    Y,
    classifier,
    learned,
    make,
)

NETWORKS = {
    "plain": {},
    "noise": {"dropout": 0.3, "input_noise": 0.1},
    "batch norm": {"norm": "batch"},
    "layer norm": {"norm": "layer", "input_scale": 0.5},
    "float64": {"dtype": "float64"},
    "reference": {"library": bp.reference},
}


def both(new, y=Y, shards=6, size=8, weight=None, **options):
    """Digests of a fit on shards, and of one that accumulates the same mini-batches."""
    options = QUIET | {"batch_size": size} | options
    sharded, accumulated = new(), new()
    scaled = None if weight is None else scaled_to_mean_1(weight)
    batches = MiniBatches(accumulated, X, y, shards, size, scaled)
    first = distributed.fit(
        sharded, X, y, shards=shards, sample_weight=weight, **options
    )
    del options["batch_size"]
    second = accumulated.fit(batches, accumulate=shards, **options)
    accumulated.learner.state.bits.state = sharded.learner.state.bits.state
    return learned(sharded, first), learned(accumulated, second)


@pytest.mark.parametrize("optimizer", [o for o in OPTIMIZERS if not o.full_batch])
def test_every_optimizer(optimizer):
    first, second = both(lambda: make(optimizer, sizes=WIDE))
    assert first == second


@pytest.mark.parametrize("shards", [2, 5, 24, 203])
@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_every_kind_of_network(settings, shards):
    if shards == 203 and "norm" in settings:
        shards = 101
    first, second = both(lambda: make(**settings), shards=shards, size=5)
    assert first == second


@pytest.mark.parametrize("weight", [WEIGHT, SOME_ZERO], ids=["all", "some zero"])
def test_weights(weight):
    first, second = both(lambda: classifier(norm="batch"), LABELS, weight=weight)
    assert first == second


def test_clipping_of_tiny_and_of_huge_gradients():
    """Their squares do not fit into the dtype's range."""
    for scale in (1e-30, 1e25):
        data = {"y": (Y * scale).astype("float32")}
        new = lambda: make(bp.SGD(1e-9, clip_norm=1.0), sizes=WIDE)  # noqa: E731
        first, second = both(new, **data, epochs=1)
        assert first == second


def test_rprop_uses_all_rows_in_one_step():
    net = make(bp.Rprop(1e-2))
    distributed.fit(net, X, Y, shards=4, epochs=3, progress=False)
    assert net.learner.state.steps == 3 and net.learner.state.seen == 12


def test_balanced_classes_as_in_fit():
    """One shard has all rows: only the divisor of the mean comes in another place."""
    nets = [classifier(bp.SGD(0.1)) for _ in range(2)]
    options = {"class_weight": "balanced", "sample_weight": WEIGHT, "shuffle": False}
    options |= QUIET | {"batch_size": 203, "validation": 0.25}
    first = distributed.fit(nets[0], X, LABELS, shards=1, **options)
    second = nets[1].fit(X, LABELS, **options)
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), 1e-6)


def test_tables_lists_and_memory_maps(tmp_path):
    pandas = pytest.importorskip("pandas")
    mapped = np.memmap(tmp_path / "X", "float32", "w+", shape=X.shape)
    mapped[...] = X
    found = set()
    for rows in (X, X.tolist(), pandas.DataFrame(X), mapped):
        net = make()
        found.add(learned(net, distributed.fit(net, rows, Y, **QUIET)))
    assert len(found) == 1


def test_a_function_is_called_once_for_each_shard():
    calls = []

    def load(k):
        calls.append(k)
        return X[20 * k : 20 * k + 20 + k], Y[20 * k : 20 * k + 20 + k]

    distributed.fit(make(), load, shards=4, **QUIET)
    assert calls == [0, 1, 2, 3]


def test_an_iterable_is_iterated_over_once_and_one_shard_is_kept_as_it_was():
    """Of the arrays that it yields, all but one are free when it makes the next."""
    yielded = []

    def shards():
        for k in range(4):
            rows = X[50 * k : 50 * k + 50].astype("float64")
            assert sum(ref() is not None for ref in yielded) <= 1
            yielded.append(weakref.ref(rows))
            yield rows, Y[50 * k : 50 * k + 50]
            del rows

    net, other = make(), make()
    history = distributed.fit(net, shards(), shards=4, **QUIET)
    both = distributed.fit(other, X[:200], Y[:200], shards=4, **QUIET)
    assert learned(net, history) == learned(other, both)
    assert all(ref() is None for ref in yielded)


def test_one_buffer_for_all_shards_is_refused():
    buffer = np.empty((20, 5), "float32")

    def load(k):
        buffer[...] = X[20 * k : 20 * k + 20]
        return buffer, Y[20 * k : 20 * k + 20]

    net = make()
    before = everything(net)
    for given in (load, map(load, range(4))):
        with pytest.raises(ValueError, match="shard 0 has changed while others were"):
            distributed.fit(net, given, shards=4, **QUIET)
    assert everything(net) == before
    distributed.fit(net, [load(0)] * 4, shards=4, **QUIET)  # four times the same rows


def test_a_file_is_of_a_number_of_shards(tmp_path):
    path = tmp_path / "net.bpc"
    save = [bp.Checkpoint(path)]
    distributed.fit(make(), X, Y, shards=6, callbacks=save, **QUIET)
    resume = QUIET | {"epochs": 4, "resume": path}
    with pytest.raises(ValueError, match="'6 shards'; got '3 shards'"):
        distributed.fit(make(), X, Y, shards=3, **resume)
    with pytest.raises(ValueError, match="'6 shards'; got 1"):
        make().fit(X, Y, **resume)
    with pytest.raises(ValueError, match="needs the same data"):
        distributed.fit(make(), X, Y + 1, shards=6, **resume)
    assert len(distributed.fit(make(), X, Y, shards=6, **resume)) == 4


@pytest.mark.parametrize(
    "options, message",
    [
        ({"accumulate": 2}, "accumulate cannot be given"),
        ({"batch_callbacks": [print]}, "batch_callbacks cannot be given"),
        ({"steps_per_epoch": 3}, "steps_per_epoch cannot be given"),
        ({"gradient": "numerical"}, "gradient cannot be given"),
        ({"metrics": "mae"}, "metrics need validation data"),
        ({"shards": 204}, "shards must be at most the 203 rows"),
        ({"shards": 0}, "shards must be"),
        ({"timeout": 0}, "timeout must be"),
        ({"resume": "nowhere.bpc"}, "cannot be read by process 0"),
        ({"sample_weight": np.zeros(203)}, "must not be negative nor all zero"),
        ({"sample_weight": np.ones(3)}, "sample_weight must have 203 rows"),
        ({"epochs": 0}, "epochs must be"),
    ],
    ids=str,
)
def test_bad_options_change_nothing(options, message):
    net = make()
    before = everything(net)
    with pytest.raises(ValueError, match=message):
        distributed.fit(net, X, Y, **QUIET | options)
    assert everything(net) == before


def test_bad_arguments():
    for arguments, message in [
        ((make(), X), "y must be given, unless X is a function"),
        ((make(), iter(X), Y), "X must be an array of rows; got .*without y it may"),
        ((make(), X, iter(Y)), "y must be an array of rows; got"),
        ((make(), "rows"), r"X must yield \(X, y\) or .* of shard 0; got str"),
        ((make(), lambda k: X), r"X\(0\) must return \(X, y\)"),
        ((None, X, Y), "net must be"),
        ((make(), X, Y, "world"), "positional"),
    ]:
        with pytest.raises(TypeError, match=message):
            distributed.fit(*arguments)
    with pytest.raises(TypeError, match="comm must be a communicator"):
        distributed.fit(make(), X, Y, comm="world")
    with pytest.raises(ValueError, match="must make steps from mini-batches"):
        distributed.fit(make(bp.LBFGS()), X, Y)


@pytest.mark.parametrize("name", ["COMM_NULL", "an intercommunicator"])
def test_communicators_of_other_kinds(name):
    MPI = pytest.importorskip("mpi4py.MPI")

    class Between:
        """The methods of an intercommunicator that are used."""

        Idup = Isend = Irecv = Get_size = None

        def Is_inter(self):
            return True

    comm = MPI.COMM_NULL if name == "COMM_NULL" else Between()
    with pytest.raises(ValueError, match="comm must be of this process and others in"):
        distributed.fit(make(), X, Y, comm=comm)


def test_mpi_is_not_imported():
    code = (
        "import sys, numpy as np, bpcore as bp\n"
        "assert 'bpcore.distributed' not in sys.modules\n"
        "bp.distributed.fit(bp.Network([1, 1]), np.ones((8, 1)), np.ones(8))\n"
        "assert 'mpi4py' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_lists_of_rows_are_arrays():
    nets = [bp.Network([2, 3, 1], rng=0) for _ in range(2)]
    rows = np.random.default_rng(0).normal(size=(16, 2)).astype("float32")
    targets = rows[:, :1].copy()
    given = [(rows, targets), (rows.tolist(), targets.tolist())]
    for net, data in zip(nets, given, strict=True):
        bp.distributed.fit(net, *data, shards=4, epochs=1, progress=False)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
