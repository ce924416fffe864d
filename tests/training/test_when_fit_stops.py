"""When a fit stops: patience and callbacks."""

import numpy as np
import pytest

import bpcore as bp
from helpers.fit import LABELS, QUIET, X, bits, in_a_thread, small

#: The loss of each epoch that `scripted` makes happen.
LOSSES = [5.0, 4.0, 4.0, 3.0, 6.0, 7.0, 8.0, 2.0]


def scripted(**options):
    """A fit whose losses, of training and of validation, are those above.

    The network gives its bias for any input, and half its square is the loss; nothing
    is learnt, but a callback writes another bias after each epoch.
    """
    net = bp.Network([1, 1], optimizer=bp.SGD(0.0), init="zeros", dtype="float64")
    biases = iter(np.sqrt(2 * np.array([*LOSSES, 0.0])))

    def next_bias(net, _):
        net.biases[0][:] = next(biases)

    next_bias(net, None)
    options = {"epochs": len(LOSSES), "callbacks": [next_bias], **options, **QUIET}
    return net.fit([[0.0]], [[0.0]], **options)


@pytest.mark.parametrize("validated", [False, True], ids=["training", "validation"])
@pytest.mark.parametrize(
    "patience, epochs, stopped",
    [
        (None, 8, "epochs"),
        (1, 3, "patience"),  # an equal loss is not a lower one
        (2, 6, "patience"),
        (3, 7, "patience"),
        (4, 8, "epochs"),
        (100, 8, "epochs"),
    ],
)
def test_patience(validated, patience, epochs, stopped):
    validation = ([[0.0]], [[0.0]]) if validated else None
    history = scripted(patience=patience, validation=validation)
    losses = history.validation_loss if validated else history.loss
    np.testing.assert_allclose(losses, LOSSES[:epochs])
    assert history.stopped == stopped


def test_patience_follows_the_validation_loss_only():
    # The labels of the validation data are wrong: what is learnt makes them worse.
    y = (X[:, 0] > 0).astype(int)
    options = {"epochs": 50, "validation": (X, 1 - y), "patience": 3, **QUIET}
    history = small(optimizer=bp.SGD(0.1)).fit(X, y, **options)
    assert history.stopped == "patience" and len(history) == 4
    assert (np.diff(history.loss) < 0).all()


def test_callbacks_see_every_epoch():
    seen = []

    def see(net, history):
        seen.append((net, history, len(history), history.loss[-1]))

    net = small()
    history = net.fit(X, LABELS, epochs=3, callbacks=[see, see], **QUIET)
    expected = [(net, history, i + 1, history.loss[i]) for i in (0, 0, 1, 1, 2, 2)]
    assert seen == expected


@pytest.mark.parametrize(
    "answer, stops",
    [
        (True, True),
        (np.True_, True),  # what a comparison of losses gives
        (False, False),
        (np.False_, False),
        (None, False),
        (1, False),
        ("no", False),
    ],
)
def test_a_callback_that_returns_true_stops(answer, stops):
    seen = []
    callbacks = [
        lambda net, history: answer if len(history) == 2 else None,
        lambda net, history: seen.append(len(history)),
    ]
    history = small().fit(X, LABELS, epochs=4, callbacks=callbacks, **QUIET)
    assert seen == [1, 2, 3, 4][: len(history)]  # the others are called all the same
    expected = (2, "callback") if stops else (4, "epochs")
    assert (len(history), history.stopped) == expected


def test_callbacks_may_use_the_network():
    rows = np.resize(X, (1000, 3))  # more than the fit has room for
    reads = [
        lambda net, _: net.predict(rows),
        lambda net, _: net.evaluate(rows, np.resize(LABELS, 1000)),
        lambda net, _: net.gradients(rows, np.resize(LABELS, 1000)),
        lambda net, _: net.backward(net.forward(rows), np.ones((1000, 2))),
    ]
    net, other = small(), small()
    net.fit(X, LABELS, callbacks=reads, batch_size=4, **QUIET)
    other.fit(X, LABELS, batch_size=4, **QUIET)
    assert bits(net) == bits(other)


def test_callbacks_may_train_the_network():
    net, other = small(), small()
    trains = [
        lambda net, _: net.train_step(X, LABELS),
        lambda net, _: net.fit(X, LABELS, epochs=1, **QUIET),
    ]
    net.fit(X, LABELS, epochs=3, callbacks=trains, batch_size=4, **QUIET)
    for _ in range(3):
        other.fit(X, LABELS, epochs=1, batch_size=4, **QUIET)
        for train in trains:
            train(other, None)
    assert bits(net) == bits(other)


def test_an_error_in_a_callback_leaves_the_network_whole():
    net, other = small(), small()

    def fail(*_):
        raise LookupError("of the caller's")

    with pytest.raises(LookupError, match="of the caller's"):
        net.fit(X, LABELS, callbacks=[fail], **QUIET)
    other.fit(X, LABELS, epochs=1, **QUIET)
    # It is free again, for any thread.
    in_a_thread(lambda: net.fit(X, LABELS, epochs=1, **QUIET))
    other.fit(X, LABELS, epochs=1, **QUIET)
    assert bits(net) == bits(other)
