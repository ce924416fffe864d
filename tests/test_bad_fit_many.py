"""Networks, data and settings that fit_many refuses."""

import pytest

import bpcore as bp
from helpers.refusals import (
    BATCHES,
    DATA,
    EITHER,
    FINITE,
    LABELS,
    NAN,
    OF_CALLER,
    ROWS,
    TARGETS,
    TYPE,
    VALUE,
    X,
    fails,
    generator,
    made,
    pair,
    table,
)


def of_values(make, values=None):
    """Arguments of fit_many for a function that makes networks of values."""
    return {"networks": make, "values": values}


A_SEQUENCE = "networks must be a sequence of networks, or a function ...; got "
EACH = "each of networks must be a Network; got "
THREADS = 'n_threads must be a whole number of at least 1, or "auto"; got '
BAD_NETWORKS = {
    "twice": (lambda a, b: {"networks": [a, b, a]}, VALUE("networks must be diff...")),
    "none": (lambda a, b: {"networks": []}, VALUE("networks must not be empty; ...")),
    "one": (lambda a, b: {"networks": a}, TYPE(A_SEQUENCE + "Network")),
    "None": (lambda a, b: {"networks": None}, TYPE(A_SEQUENCE + "NoneType")),
    "iterator": (lambda a, b: {"networks": iter([a])}, TYPE(A_SEQUENCE + "list_it...")),
    "mapping": (lambda a, b: {"networks": {"a": a}}, TYPE(A_SEQUENCE + "dict")),
    "text": (lambda a, b: {"networks": "ab"}, TYPE(EACH + "str")),
    "None in it": (lambda a, b: {"networks": [a, None]}, TYPE(EACH + "NoneType")),
    "class": (lambda a, b: {"networks": [a, bp.Network]}, TYPE(EACH + "type")),
    "no values": (
        lambda a, b: of_values(lambda value: a),
        TYPE("values must be given where networks is a function; got None"),
    ),
    "a number": (lambda a, b: of_values(fails, 5), TYPE("values must be ...; got 5")),
    "empty": (
        lambda a, b: of_values(fails, []),
        VALUE("networks must not be empty; ..."),
    ),
    "values too": (lambda a, b: of_values([a, b], [1, 2]), TYPE("values ...")),
    "the same": (lambda a, b: of_values([a, b].__getitem__, [0, 0]), VALUE("...twice")),
    "nothing made": (lambda a, b: of_values(print, [""]), TYPE(EACH + "NoneType")),
    "that fails": (lambda a, b: of_values(fails, [1]), OF_CALLER),
    "unknown": (
        lambda a, b: {"epoch": 5},
        TYPE("...unexpected keyword ... 'epoch'..."),
    ),
    "no threads": (lambda a, b: {"n_threads": 0}, VALUE(THREADS + "0")),
    "half a thread": (lambda a, b: {"n_threads": 1.5}, TYPE(THREADS + "1.5")),
    "all threads": (lambda a, b: {"n_threads": "all"}, TYPE(THREADS + "'all'")),
    "threads": (lambda a, b: {"n_threads": None}, TYPE(THREADS + "None")),
}
BAD_DATA = {
    "narrow": ({"X": X[:, :2]}, VALUE(ROWS + "(6, 2)")),
    "nan": ({"X": X * NAN}, VALUE(FINITE.format("X", "nan at [0, 0]"))),
    "no X": ({"X": None}, TYPE("X must hold real numbers; got NoneType")),
    "no y": ({"y": None}, TYPE("y must ...; got None...")),
    "few labels": ({"y": LABELS[:5]}, VALUE("y must have shape (6,) ...; got (5,)")),
    "stream": ({"X": [DATA], "y": None}, EITHER("...must ...; got ...")),
}
#: Settings of a second network that the fit does not suit, and those of the fit.
BALANCED = {"y": TARGETS, "class_weight": "balanced"}
BY_FIVE = {"batch_size": 5}
BAD_SECOND = {
    "sizes": ({"sizes": (5, 4)}, {}, "X must have shape (n, 5) ...; got (6, 3)"),
    "loss": ({"loss": "huber"}, {}, "y must have shape (6, 2) ...; got (6,)"),
    "classes": ({"loss": "huber"}, BALANCED, "class_weight needs a loss whose ..."),
    "step": ({"activation": "step"}, {}, "activation must have a derivative ..."),
    "batch norm": ({"norm": "batch"}, {"batch_size": 1}, BATCHES.format(6, 1)),
    "Rprop": ({"optimizer": bp.Rprop()}, BY_FIVE, "batch_size must be all 6 rows ..."),
}
THREADED = pytest.mark.parametrize("n_threads", [1, 2])


@table(BAD_NETWORKS)
def test_bad_networks(Network, bad, refusal):
    a, b = pair(Network)
    settings = {"networks": [a, b], **bad(a, b)}
    refusal.of(lambda: bp.fit_many(X=X, y=LABELS, **settings), a, b)


@THREADED
@table(BAD_DATA)
def test_bad_data_of_many(Network, n_threads, bad, refusal):
    nets, data = pair(Network), {"X": X, "y": LABELS, **bad}
    refusal.of(lambda: bp.fit_many(nets, n_threads=n_threads, **data), *nets)


@THREADED
@table(BAD_SECOND, "second, settings, text")
def test_what_does_not_suit_one_of_many_changes_none(
    Network, n_threads, second, settings, text
):
    nets = [made(Network), made(Network, **second), made(Network)]
    settings = {"X": X, "y": LABELS, "n_threads": n_threads, **settings}
    VALUE(text).of(lambda: bp.fit_many(nets, **settings), *nets)


@THREADED
def test_parameters_of_one_of_many_that_are_not_finite(Network, n_threads):
    nets = pair(Network)
    nets[1].parameters[0] = NAN
    refusal = VALUE("the network's parameters must be finite before training...")
    refusal.of(lambda: bp.fit_many(nets, *DATA, n_threads=n_threads), *nets)


@THREADED
def test_every_network_gets_what_comes_from_a_generator(Network, n_threads):
    seen = []
    fitted = bp.fit_many(
        pair(Network),
        *DATA,
        epochs=1,
        n_threads=n_threads,
        callbacks=generator(lambda net, _: seen.append(net)),
        batch_callbacks=generator(lambda net, *_: seen.append(net)),
        metrics=generator("accuracy", "auc"),
    )
    assert [list(fit.history.metrics) for fit in fitted] == [["accuracy", "auc"]] * 2
    assert all(seen.count(fit.network) == 2 for fit in fitted)
