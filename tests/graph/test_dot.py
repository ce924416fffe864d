"""Graphs in Graphviz's language."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from bpcore import graph
from bpcore.graph import Variable
from bpcore.show.colours import colour_of
from helpers.graph import normal
from helpers.graphs import GRAPHS, example

DOT = r"""digraph {
  rankdir=LR;
  node [shape=box];
  n0 [label="a\n2\ndJ/da = 3"];
  n1 [label="b\n3\ndJ/db = 12"];
  n2 [label="c\n4\ndJ/dc = 9"];
  n3 [label="v1 = b * c\n12\ndJ/dv1 = 3"];
  n4 [label="v2 = a + v1\n14\ndJ/dv2 = 3"];
  n5 [label="J = 3 * v2\n42\ndJ/dJ = 1"];
  n1 -> n3 [label="4"];
  n2 -> n3 [label="3"];
  n0 -> n4 [label="1"];
  n3 -> n4 [label="1"];
  n4 -> n5 [label="3"];
}"""
TOKEN = re.compile(
    r'\s*("(?:[^"\\\n]|\\.)*"|<<table.*?</table>>(?=\])|->|[A-Za-z0-9_]+|[\[\]{}=;])'
)


def lines_of(label):
    """The lines of a quoted label; lines and tables, as rows, of an HTML-like one."""
    if label[0] == '"':
        plain = re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[1:-1])
        return plain.split("\n")
    found = []
    for row in ElementTree.fromstring(label[1:-1]):
        (cell,) = row
        table = cell.find("table")
        found.append(
            cell.text
            if table is None
            else [["".join(td.itertext()) for td in tr] for tr in table]
        )
    return found


def parsed(text):
    """Nodes with their labels, and edges, of a graph in a part of the language."""
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        assert match, text[at : at + 40]
        tokens.append(match[1])
        at = match.end()
    assert tokens[:2] == ["digraph", "{"] and tokens[-1] == "}"
    statements, statement = [], []
    for token in tokens[2:-1]:
        if token == ";":
            statements.append(statement)
            statement = []
        else:
            statement.append(token)
    assert not statement
    assert statements[:2] == [
        ["rankdir", "=", "LR"],
        ["node", "[", "shape", "=", "box", "]"],
    ]
    nodes, edges = {}, []
    for statement in statements[2:]:
        *ends, left, label, equals, value, right = statement
        assert [left, label, equals, right] == ["[", "label", "=", "]"]
        lines = lines_of(value)
        if len(ends) == 1:
            assert ends[0] not in nodes
            nodes[ends[0]] = lines
        else:
            source, arrow, target = ends
            assert arrow == "->" and {source, target} <= set(nodes)
            edges.append((source, target, lines))
    return nodes, edges


def test_dot_of_the_example():
    J = example()
    assert "dJ" not in J.to_dot()
    J.backward()
    assert J.to_dot() == DOT


@pytest.mark.parametrize("name", GRAPHS)
def test_dot_is_well_formed(name):
    J = GRAPHS[name]()
    J.backward()
    nodes, edges = parsed(J.to_dot())
    order = graph.backward.in_order(J)
    assert len(nodes) == len(order)
    assert len(edges) == sum(len(v.edges) for v in order)


def test_arrays_are_tables():
    x = Variable([[1.0, 2.0], [-3.0, 1 / 3]], "x")
    J = (x * [0.5, -2.0]).sum()
    J.backward()
    nodes, edges = parsed(J.to_dot())
    assert nodes["n0"] == [
        "x",
        "value (2, 2)",
        [["1", "2"], ["-3", "0.3333"]],
        "dJ/dx (2, 2)",
        [["0.5", "-2"], ["0.5", "-2"]],
    ]
    assert nodes["n1"][:3] == ["v1 = x * constant", "constant (2,)", [["0.5", "-2"]]]
    # Equal local derivatives are one number.
    assert edges == [("n0", "n1", [[["0.5", "-2"]] * 2]), ("n1", "n2", ["1"])]
    red, blue = colour_of(0.5 / 2), colour_of(-1.0)
    assert f'bgcolor="{red}"' in J.to_dot() and f'bgcolor="{blue}"' in J.to_dot()


def test_large_arrays_are_small_tables():
    W = Variable(normal(100, 30), "W")
    J = (W @ normal(30)).max()
    nodes, edges = parsed(J.to_dot())
    name, shape, rows = nodes["n0"]
    assert (name, shape) == ("W", "value (100, 30)")
    assert len(rows) == 7 and {len(row) for row in rows} == {7}
    assert rows[3] == ["..."] * 7 and rows[6][6] == f"{W.value[99, 29]:.4g}"
    assert edges[0][2] == ["(100, 100, 30) Jacobian"]
    assert max(map(len, J.to_dot().splitlines())) < 7000


@pytest.mark.parametrize("value", [3.0, np.ones(2)], ids=["number", "array"])
@pytest.mark.parametrize(
    "name",
    ['say "a"', "back\\slash", "end\\", '\\"', "<b>", "a;b", "] -> {", "é", "\\N"],
)
def test_names_are_escaped(name, value):
    J = 2 * Variable(value, name)
    nodes, edges = parsed(J.to_dot())
    assert nodes["n0"][0] == name and nodes["n1"][0] == f"J = 2 * {name}"
    assert edges == [("n0", "n1", ["2"])]


def test_long_names_lose_their_middle():
    nodes, _ = parsed(Variable(1.0, "begin" + "x" * 1000 + "end").to_dot())
    (line, _) = nodes["n0"]
    assert len(line) == 32 and re.fullmatch(r"beginx*\.\.\.x*end", line)
