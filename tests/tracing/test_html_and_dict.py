"""Traces as HTML, as a dict, and copied."""

import copy
import json
import pickle
from html.parser import HTMLParser

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.html import html
from helpers import each_library, fourth_powers
from helpers.trace import SIZES, as_bytes, each_option, problem, small_problem

#: The same, with a name that is none, and a tag if it is not escaped.
nameless = lambda a, y: fourth_powers(a, y)  # noqa: E731, PLW0108


class Tables(HTMLParser):
    """The rows of all tables; raises where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.captions = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.captions.append(data)
        else:
            assert not data.strip()


@pytest.mark.parametrize("n", [3, 50])
def test_the_derivation_as_html(n):
    """The same equations and numbers as in the text, with tags escaped."""
    net, X, y = problem("tanh", nameless, n=n, dropout=0.3, norm="layer")
    t = bp.trace(net, X, y)
    markup = html(t)
    tables, text = Tables(markup), str(t)
    assert "<lambda>" not in markup and "&lt;lambda&gt;" in markup
    assert any("<lambda>" in equation for equation, _ in tables.rows)
    for caption in tables.captions:
        assert f"\n{caption}\n---" in f"\n{text}"
    flat = " ".join(text.split())
    for equation, rows in tables.rows:
        assert " ".join(f"{equation} {rows}".split()) in flat
    assert sum(len(rows) for _, rows in tables.rows) > 100


@each_library
def test_a_network_as_html(Network):
    net = Network(
        [3, 5, 4, 2],
        loss=nameless,
        output="tanh",
        norm=["batch", None],
        dropout=[0.0, 0.25],
    )
    net.frozen = [True, False, False]
    markup = net._repr_html_()
    tables = Tables(markup)
    assert "<lambda>" not in markup and "loss <lambda>" in tables.captions[0]
    assert f"{net.parameters.size} parameters" in tables.captions[0]
    first, *layers = tables.rows[1:]
    assert len({len(row) for row in tables.rows}) == 1
    assert first[2] == "3" and [row[2] for row in layers] == ["5", "4", "2"]
    assert [row[3].split(" ", 1)[1] for row in layers] == ["3 x 5", "5 x 4", "4 x 2"]
    assert [row[5] for row in layers] == ["batch norm, frozen", "dropout 0.25", ""]
    for row, W in zip(layers, net.weights, strict=True):
        assert float(row[4]) == pytest.approx(np.linalg.norm(W), rel=1e-3)


@each_option
def test_to_dict(options, dtype):
    net, X, y = problem(dtype=dtype, **options)
    t = bp.trace(net, X, y, np.arange(1.0, 6.0))
    found = t.to_dict()
    for name in ("a", "u", "hat", "inverse", "moments", "z", "f", "kept"):
        assert as_bytes(found[name]) == as_bytes(getattr(t, name))
    for name in ("derivatives", "da", "delta", "du", "dW", "db", "dgain"):
        assert as_bytes(found[name]) == as_bytes(getattr(t, name))
    assert found["weight"] is t.weight and found["y"] is t.y
    for moment, p in (("before", t.before), ("after", t.after)):
        assert as_bytes(found[moment]["W"]) == as_bytes(p.weights)
        assert as_bytes(found[moment]["b"]) == as_bytes(p.biases)
        assert as_bytes(found[moment]["gain"]) == as_bytes(p.gains)
        moments = found[moment]["running_moments"]
        assert as_bytes(moments) == as_bytes(p.running_moments)
        state = found[moment]["state"]
        assert list(state) == ["mean", "square"]
        for name, of in state.items():
            assert as_bytes(of["W"]) == as_bytes(p.state[name].weights)
            assert as_bytes(of["b"]) == as_bytes(p.state[name].biases)
            if any(net.norms):
                assert as_bytes(of["gain"]) == as_bytes(p.state[name].gains)
    plain = t.to_dict(lists=True)
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert_same_numbers(again, found)
    assert again["sizes"] == list(SIZES) and again["activations"][-1] == "softmax"
    assert (again["loss"], again["lr"], again["step"]) == (t.loss, 0.01, 1)
    assert again["optimizer"] == repr(net.optimizer)
    assert again["network"] == repr(net)


def assert_same_numbers(plain, arrays):
    """Lists and arrays of the same numbers, in the same places."""
    if isinstance(arrays, dict):
        assert list(plain) == list(arrays)
        for name, part in arrays.items():
            assert_same_numbers(plain[name], part)
    elif isinstance(arrays, list) and not isinstance(arrays[0], str | int):
        for one, other in zip(plain, arrays, strict=True):
            assert_same_numbers(one, other)
    elif isinstance(arrays, np.ndarray):
        assert np.array_equal(np.array(plain, arrays.dtype), arrays)
    else:
        assert plain == arrays


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))],
    ids=["deepcopy", "pickle"],
)
def test_a_trace_can_be_kept(duplicate):
    net, X, y = small_problem()
    t = bp.trace(net, X, y)
    other = duplicate(t)
    assert str(other) == str(t)
    assert other.to_dict(lists=True) == t.to_dict(lists=True)
