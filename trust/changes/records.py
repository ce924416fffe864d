"""Calls that change what is not a network: an expression's gradients, a film."""

import numpy as np

import bpcore as bp
from bpcore.graph import Variable, exp
from trust.changes.change import Change, X, network
from trust.digest import digest

CORNERS, XOR = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]

# --- expressions ----------------------------------------------------------------------


class Expression:
    """A mean of a network's output and variables, after one backward pass.

    Other gradients come by a second.
    """

    def __init__(self):
        self.net = network(norm=None)
        self.W, self.b = Variable(np.arange(6.0).reshape(3, 2)), Variable(np.ones(2))
        self.mean().backward()
        self.W.value = self.W.value / 2
        self.J = self.mean()

    def mean(self):
        x = Variable(X[:4])
        return ((self.net.node(x) + exp(self.W).sum() + self.b) ** 2).mean()


def backward(expression):
    expression.J.backward()


def gradients(expression):
    """The gradients of the variables and of the network."""
    stored = expression.net.stored_gradients
    arrays = expression.W.grad, expression.b.grad, expression.J.grad, stored.flat
    return digest(([repr(each) for each in arrays], stored.loss))


def can_go_back(expression):
    expression.mean().backward()
    expression.net.apply()


# --- films ----------------------------------------------------------------------------


class Film:
    """A film of a network, with a frame before training and two more."""

    def __init__(self, begun=True):
        self.net = bp.Network([2, 4, 1], output="sigmoid", rng=0)
        self.film = bp.Animation(CORNERS, XOR)
        if begun:
            self.film.check(self.net)
            self.film(self.net, [1])
            self.film(self.net, [1, 2])


def not_begun():
    return Film(False)


def parts(film):
    """What changes with each epoch of a film."""
    names = "_epoch", "_before", "every"
    found = [getattr(film.film, name) for name in names]
    return digest((found, film.film.epochs.tolist(), film.film.scene is None))


def can_record(film):
    film.film.check(film.net)
    film.film(film.net, [1, 2, 3])


def changes():
    """All of them."""
    yield Change(
        "backward of an expression", Expression, backward, None, gradients, can_go_back
    )
    for name, make, change in (
        ("Animation", Film, lambda film: film.film(film.net, [1, 2, 3])),
        ("Animation, resumed", Film, lambda film: film.film.resume(film.net, [1])),
        ("Animation, begun", not_begun, lambda film: film.film.check(film.net)),
    ):
        yield Change(name, make, change, None, parts, can_record)
