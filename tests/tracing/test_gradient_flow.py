"""GradientFlow: its numbers, and that recording them does not change the fit."""

import copy
import io
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import each_library, everything

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5))
LABELS = rng.integers(0, 3, 40)
COLUMNS = ("delta", "dW", "update", "dead", "saturated")


def make(Network=bp.Network, **settings):
    settings = {
        "activation": ["relu", "sigmoid", "tanh"],
        "loss": "cross_entropy",
        "optimizer": bp.Adam(0.01),
        "dtype": "float64",
        **settings,
    }
    return Network((5, 8, 6, 7, 3), rng=0, **settings)


def by_hand(net, X, y, weight=None):
    """The columns of one record, from a copy of the network and NumPy."""
    twin = copy.deepcopy(net)
    tape, n = net.forward(X), len(X)
    w = np.ones(n) if weight is None else np.asarray(weight)
    gradients = net.gradients(X, y, weight)
    twin.train_step(X, y, weight)
    delta = (tape.output - np.eye(3)[y]) * (w / n)[:, None]
    deltas, slopes = (
        [delta],
        {
            "relu": lambda a: a > 0,
            "sigmoid": lambda a: a * (1 - a),
            "tanh": lambda a: 1 - a**2,
        },
    )
    for W, a, f in reversed(
        list(
            zip(net.weights[1:], tape.activations[1:-1], net.activations, strict=False)
        )
    ):
        deltas.insert(0, (deltas[0] @ W.T) * slopes[f](a))
    change = [
        np.linalg.norm(new - old) / np.linalg.norm(old)
        for new, old in zip(twin.weights, net.weights, strict=True)
    ]
    relu, sigmoid, tanh = tape.activations[1:4]
    return {
        "delta": [np.linalg.norm(delta) for delta in deltas],
        "dW": [np.linalg.norm(dW) for dW in gradients.weights],
        "update": change,
        "dead": [(relu == 0).all(axis=0).mean(), *[np.nan] * 3],
        "saturated": [
            np.nan,
            ((sigmoid < 0.01) | (sigmoid > 0.99)).mean(),
            (np.abs(tanh) > 0.98).mean(),
            np.nan,
        ],
    }


# --- what is recorded -----------------------------------------------------------------


@each_library
@pytest.mark.parametrize("weight", [None, np.arange(40.0)], ids=["", "weighted"])
def test_columns_by_hand(Network, weight):
    net = make(Network)
    for W in net.weights[1:3]:
        W *= 8  # some are saturated
    net.biases[0][:2] = -100  # and some dead
    flow, rows = bp.GradientFlow(X, LABELS, weight), []
    for epoch in (1, 2, 3):
        rows.append(by_hand(net, X, LABELS, weight))
        before = everything(net)
        flow.record(net, epoch)
        assert everything(net) == before
        net.train_step(X, LABELS)
    assert flow.epochs.tolist() == [1, 2, 3]
    assert flow.seconds.shape == (3,) and (flow.seconds > 0).all()
    for name in COLUMNS:
        found = getattr(flow, name)
        assert found.shape == (3, 4)
        np.testing.assert_allclose(found, [row[name] for row in rows], rtol=1e-9)


def test_dead_units_and_saturated_ones():
    net = bp.Network((1, 4, 4, 4, 1), activation=["relu", "sigmoid", "tanh"], rng=0)
    net.biases[0][:3] = -1e6  # 3 of 4 never speak
    net.weights[1][...] = net.weights[2][...] = 0
    net.biases[1][:] = 0, 4.5, 4.7, -4.7  # 1 / 100 is at 4.595
    net.biases[2][:] = 0, 2.2, 2.4, -2.4  # 98 / 100 at 2.298
    net.biases[0][3] = 1e3
    flow = bp.GradientFlow([[0.5], [-0.5]], [0.0, 1.0])
    flow.record(net, 1)
    np.testing.assert_array_equal(flow.dead, [[0.75, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(flow.saturated, [[np.nan, 0.5, 0.5, np.nan]])
    # A unit that speaks for one row is not dead, and dropping out is not dying.
    net = bp.Network((1, 4, 1), dropout=0.5, rng=0)
    net.weights[0][...] = 1
    flow = bp.GradientFlow([[0.5], [-0.5]], [0.0, 1.0])
    flow.record(net, 1)
    assert flow.dead[0, 0] == 0


def test_units_are_those_before_they_drop_out(dtype):
    net = make(dropout=0.5, dtype=dtype)
    plain = make(dtype=dtype)
    net.biases[0][:2] = plain.biases[0][:2] = -100
    flows = [bp.GradientFlow(X, LABELS) for _ in range(2)]
    for flow, each in zip(flows, (net, plain), strict=True):
        flow.record(each, 1)
    assert flows[0].dead[0, 0] == flows[1].dead[0, 0] == 0.25
    assert np.isfinite(flows[0].saturated[0, 1:3]).all()


@pytest.mark.parametrize("norm", ["batch", "layer"])
def test_columns_of_normalised_layers(norm):
    """delta is by z, after the normalisation."""
    net = make(norm=norm)
    flow = bp.GradientFlow(X, LABELS)
    flow.record(net, 1)
    t = bp.trace(net, X, LABELS)
    expected = [np.linalg.norm(delta) for delta in t.delta]
    np.testing.assert_allclose(flow.delta[0], expected, rtol=1e-12)


def test_layers_without_weights_or_change_have_no_quotient():
    net = bp.Network((2, 3, 1), activation="tanh", init="zeros")
    flow = bp.GradientFlow([[1.0, 2.0]], [3.0])
    flow.record(net, 1)
    assert np.isnan(flow.update).all()  # over a norm of 0
    net = make(optimizer=bp.SGD(0.0))
    net.frozen = [True, False, False, False]
    flow = bp.GradientFlow(X, LABELS)
    flow.record(net, 1)
    assert (flow.update == 0).all() and (flow.dW > 0).all()


# --- in a fit -------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dropout": 0.3, "norm": "batch", "optimizer": bp.SGD(0.1, momentum=0.9)},
        {"input_noise": 0.1, "optimizer": bp.Adam(0.01, clip_norm=0.1)},
        {"input_scale": 2.0},
        {"optimizer": bp.SGD(schedules.OneCycle(0.1, 40)), "norm": "layer"},
        {"optimizer": bp.Adam(schedules.ReduceOnPlateau(0.1, patience=0))},
    ],
    ids=str,
)
def test_fit_is_the_same_with_it(Network, settings):
    """Bit for bit, with random numbers and accumulated gradients."""
    nets = [make(Network, **settings) for _ in range(2)]
    flow = bp.GradientFlow(X[:10], LABELS[:10])
    options = {"epochs": 4, "batch_size": 8, "accumulate": 2, "validation": 0.2}
    histories = [
        net.fit(X, LABELS, callbacks=callbacks, **options, **QUIET)
        for net, callbacks in zip(nets, ([flow], []), strict=True)
    ]
    assert everything(nets[0]) == everything(nets[1])
    for name in ("loss", "validation_loss", "lr"):
        assert np.array_equal(*(history[name] for history in histories))
    assert flow.epochs.tolist() == [1, 2, 3, 4]
    assert flow.dW.shape == (4, 4) and (flow.dW > 0).all()


def test_records_are_of_the_ends_of_epochs():
    net, flow, traced = make(), bp.GradientFlow(X, LABELS, every=2), []

    def look(network, history):
        traced.append(bp.trace(network, X, LABELS))

    net.fit(X, LABELS, epochs=5, callbacks=[flow, look], **QUIET)
    assert flow.epochs.tolist() == [2, 4]
    for row, t in zip(flow.dW, traced[1::2], strict=True):
        expected = [np.linalg.norm(dW) for dW in t.dW]
        np.testing.assert_allclose(row, expected, rtol=1e-12)
    # Another fit counts its epochs from 1 again, and is recorded after the first.
    net.fit(X, LABELS, epochs=3, callbacks=[flow], **QUIET)
    assert flow.epochs.tolist() == [2, 4, 2]
    assert flow.seconds.shape == (3,)


def test_it_does_not_stop_a_fit():
    history = make().fit(
        X, LABELS, epochs=3, callbacks=[bp.GradientFlow(X, LABELS)], **QUIET
    )
    assert len(history) == 3


def test_an_optimizer_without_steps_has_no_updates():
    pytest.importorskip("scipy")
    net, twin = (make(optimizer=bp.LBFGS()) for _ in range(2))
    flow = bp.GradientFlow(X, LABELS)
    net.fit(X, LABELS, epochs=3, callbacks=[flow], **QUIET)
    twin.fit(X, LABELS, epochs=3, **QUIET)
    assert everything(net) == everything(twin)
    assert flow.epochs.tolist() == [1, 2, 3]
    assert np.isnan(flow.update).all()
    assert (flow.delta > 0).all() and (flow.dW > 0).all()


def test_it_goes_into_pandas():
    pandas = pytest.importorskip("pandas")
    flow = bp.GradientFlow(X, LABELS)
    assert list(flow.to_dict()) == ["epoch", "seconds"]  # nothing yet
    make().fit(X, LABELS, epochs=3, callbacks=[flow], **QUIET)
    frame = pandas.DataFrame(flow.to_dict())
    layers = [f"{name}[{l}]" for name in COLUMNS for l in range(4)]
    assert list(frame) == ["epoch", *layers, "seconds"] and len(frame) == 3
    for name in COLUMNS:
        for l in range(4):
            assert np.array_equal(
                frame[f"{name}[{l}]"], getattr(flow, name)[:, l], equal_nan=True
            )
    assert frame["epoch"].tolist() == [1, 2, 3]


def test_it_can_be_kept():
    """Pickled and copied, before a record and after."""
    flow = bp.GradientFlow(X, LABELS)
    for _ in range(2):
        for other in (pickle.loads(pickle.dumps(flow)), copy.deepcopy(flow)):
            assert repr(other) == repr(flow)
            assert np.array_equal(other.dW, flow.dW)
        flow.record(make(), 1)


def test_what_it_is_in_a_line():
    flow, net = bp.GradientFlow(X, LABELS), make()
    assert repr(flow) == "<GradientFlow of 0 epochs>"
    flow.record(net, 1)
    assert repr(flow).startswith("<GradientFlow of 1 epoch, ")
    flow.record(net, 2)
    assert repr(flow).startswith("<GradientFlow of 2 epochs, ")
    assert repr(flow).endswith(" ms each>")


# --- pictures -------------------------------------------------------------------------


def test_it_is_drawn():
    """A panel for each column that has numbers, in it a line for each such layer."""
    pytest.importorskip("matplotlib")
    flow = bp.GradientFlow(X, LABELS)
    make().fit(X, LABELS, epochs=3, callbacks=[flow], **QUIET)
    figure = flow.plot()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "norm of delta",
        "norm of dW",
        "norm of the update over that of W",
        "fraction of dead relu units",
        "fraction of saturated outputs of sigmoid and tanh",
    ]
    expected = {"delta": 4, "dW": 4, "update": 4, "dead": 1, "saturated": 2}
    for axes, (name, count) in zip(figure.axes, expected.items(), strict=True):
        column = getattr(flow, name)
        column = column[:, np.isfinite(column).any(axis=0)]
        assert len(axes.lines) == count
        for line, values in zip(axes.lines, column.T, strict=True):
            assert np.array_equal(line.get_ydata(), values)
            assert np.array_equal(line.get_xdata(), [1, 2, 3])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=40)
    assert len(buffer.getvalue()) > 1000


def test_columns_without_numbers_are_not_drawn():
    pytest.importorskip("matplotlib")
    flow = bp.GradientFlow([[1.0]], [1.0])
    flow.record(bp.Network([1, 1], optimizer=bp.LBFGS(), init="zeros"), 1)
    figure = flow.plot()
    assert len(figure.axes) == 2
    figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_nothing_recorded_is_not_drawn():
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match=r"^plot needs at least one recorded epoch"):
        bp.GradientFlow(X, LABELS).plot()


def test_no_picture_without_matplotlib(monkeypatch):
    flow = bp.GradientFlow(X, LABELS)
    flow.record(make(), 1)
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    with pytest.raises(ImportError, match="matplotlib"):
        flow.plot()


# --- what it refuses ------------------------------------------------------------------


@each_library
@pytest.mark.parametrize(
    "batch, error, message",
    [
        ((X.T, LABELS), ValueError, r"GradientFlow: X must have shape \(n, 5\)"),
        ((X, LABELS[1:]), ValueError, r"GradientFlow: y must have shape"),
        ((X, LABELS + 3), ValueError, r"GradientFlow: y must hold labels in 0 .. 2"),
        ((X + np.nan, LABELS), ValueError, r"GradientFlow: X must be finite"),
        ((X, LABELS, -np.ones(40)), ValueError, r"GradientFlow: sample_weight must"),
        ((X[:1], LABELS[:1]), ValueError, r"GradientFlow: X must have at least 2 rows"),
    ],
    ids=["X", "y", "labels", "NaN", "weight", "batch norm"],
)
def test_a_bad_mini_batch_is_refused_before_training(Network, batch, error, message):
    net, flow, called = make(Network, norm="batch"), bp.GradientFlow(*batch), []
    before = everything(net)
    with pytest.raises(error, match=f"^{message}"):
        net.fit(
            X,
            LABELS,
            epochs=2,
            callbacks=[lambda *_: called.append(1), flow],
            **QUIET,
        )
    assert everything(net) == before and not called
    with pytest.raises(error, match=f"^{message}"):
        flow.record(net, 1)
    assert everything(net) == before
    assert flow.epochs.size == flow.seconds.size == flow.dW.size == 0


def test_what_is_no_data_is_refused_at_once():
    with pytest.raises(TypeError, match=r"^y must hold real numbers; got NoneType"):
        bp.GradientFlow(X, None)
    with pytest.raises(TypeError, match=r"^sample_weight must hold real numbers"):
        bp.GradientFlow(X, LABELS, "heavy")


def test_it_keeps_its_data():
    """A caller may write to the arrays that it was given."""
    rows, net = X.copy(), make()
    flow = bp.GradientFlow(rows, LABELS)
    flow.record(net, 1)
    rows[...] = 0
    flow.record(net, 2)
    assert flow.delta[0].tobytes() == flow.delta[1].tobytes()


def test_a_loss_that_is_not_finite_is_no_number():
    net = bp.Network((1, 1), dtype="float64", init="zeros")
    flow = bp.GradientFlow([[1.0]], [[1e200]])
    net.fit([[1.0]], [[1.0]], epochs=2, callbacks=[flow], **QUIET)
    assert flow.epochs.tolist() == [1, 2]
    assert np.isnan(flow.delta).all() and np.isnan(flow.update).all()
    with pytest.raises(ValueError, match="at least one loss that was finite"):
        flow.plot()


def test_it_prints_a_table():
    flow = bp.GradientFlow(X, LABELS)
    make().fit(X, LABELS, epochs=60, callbacks=[flow], **QUIET)
    lines = str(flow).splitlines()
    assert lines[0].split() == list(flow.to_dict())
    assert len(lines) == 42 and "..." in lines[21]
    assert float(lines[-1].split()[1]) == pytest.approx(flow.delta[-1, 0], rel=1e-3)


def test_another_network_may_follow_if_it_has_as_many_layers():
    flow = bp.GradientFlow(X, LABELS)
    flow.record(make(), 1)
    flow.record(bp.Network((5, 2, 2, 2, 3), loss="cross_entropy"), 2)
    other = bp.Network((5, 8, 3), loss="cross_entropy", rng=0)
    before = everything(other)
    message = (
        "^network must have 4 layers of weights, as the one recorded before; got 2"
    )
    with pytest.raises(ValueError, match=message):
        other.fit(X, LABELS, epochs=2, callbacks=[flow], **QUIET)
    assert everything(other) == before
    with pytest.raises(ValueError, match=message):
        flow.record(other, 3)
    assert flow.epochs.tolist() == [1, 2]


@pytest.mark.parametrize(
    "every, error",
    [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, ValueError)],
)
def test_epochs_between_records_are_a_whole_number(every, error):
    with pytest.raises(error, match=r"^every must be a whole number of at least 1"):
        bp.GradientFlow(X, LABELS, every=every)


def test_only_what_it_records_is_an_attribute():
    flow = bp.GradientFlow(X, LABELS)
    with pytest.raises(AttributeError, match="no attribute 'alpha'"):
        _ = flow.alpha


def test_only_networks_that_can_be_trained_are_recorded():
    net = make(activation="step")
    with pytest.raises(ValueError, match=r"^activation must have a derivative"):
        bp.GradientFlow(X, LABELS).record(net, 1)
    with pytest.raises(TypeError, match=r"^network must be a Network"):
        bp.GradientFlow(X, LABELS).record("net", 1)
    with pytest.raises(ValueError, match=r"^epoch must be a whole number"):
        bp.GradientFlow(X, LABELS).record(make(), -1)


def test_the_table_has_a_dash_where_a_layer_has_no_such_units():
    X, y = [[0.0, 1.0], [1.0, 0.5]], [[1.0], [0.0]]
    net = bp.Network([2, 3, 2, 1], activation=["relu", "tanh"], rng=0)
    flow = bp.GradientFlow(X, y)
    assert str(flow).split()[0] == "epoch" and len(str(flow).splitlines()) == 1
    net.fit(X, y, epochs=3, callbacks=[flow], progress=False)
    head, *rows = [line.split() for line in str(flow).splitlines()]
    for name, column in zip(head, zip(*rows, strict=True), strict=True):
        without = name in ("dead[1]", "dead[2]", "saturated[0]", "saturated[2]")
        assert (set(column) == {"-"}) == without
        assert "nan" not in column
