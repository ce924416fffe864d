"""Tables of formulas from the library itself: ``.. formulas:: activations``."""

from docutils import nodes
from docutils.parsers.rst import Directive

import bpcore
from bpcore.initializers import INITIALIZERS
from bpcore.metrics import METRICS


def activations():
    """Name, f(z) and derivative of every activation."""
    yield "name", "f(z)", "f'(z)", "initial weights"
    for found in bpcore.ACTIVATIONS.values():
        yield found.name, found.formula, found.derivative, found.init


def losses():
    """Name, formula and derivative of every loss."""
    yield "name", "E_i, the loss of one sample", "derivative", "default output"
    for name, loss in bpcore.LOSSES.items():
        derivative = f"by a: {loss.by_a}" if loss.by_a else ""
        if getattr(loss, "by_z", ""):
            derivative = f"by z: {loss.by_z}"
        yield name, loss.formula, derivative, loss.output


def initializers():
    """Name, distribution and variance of every initialiser."""
    formulas = {"glorot": "2 / (n_in + n_out)", "he": "2 / n_in", "lecun": "1 / n_in"}
    yield "name", "distribution", "variance of a weight"
    for name in INITIALIZERS:
        family, _, kind = name.partition("_")
        yield name, kind or "-", formulas.get(family, "0")


def metrics():
    """Name and formula of every metric, and whether larger is better."""
    yield "name", "formula", "better"
    for name, metric in METRICS.items():
        yield name, metric.formula, "larger" if metric.higher_is_better else "smaller"


TABLES = {
    "activations": activations,
    "losses": losses,
    "initializers": initializers,
    "metrics": metrics,
}


class Formulas(Directive):
    """A table of what the library itself says of its parts."""

    required_arguments = 1

    def run(self):
        """The table as nodes."""
        head, *body = TABLES[self.arguments[0]]()
        group = nodes.tgroup(cols=len(head))
        group += [nodes.colspec(colwidth=1) for _ in head]
        group += nodes.thead("", _row(head, nodes.Text))
        group += nodes.tbody("", *(_row(row, _code) for row in body))
        return [nodes.table("", group, classes=["formulas"])]


def _code(text):
    return nodes.literal("", text) if text not in ("", "-") else nodes.Text(text)


def _row(cells, make):
    entries = (nodes.entry("", nodes.paragraph("", "", make(cell))) for cell in cells)
    return nodes.row("", *entries)


def setup(app):
    """Register the directive."""
    app.add_directive("formulas", Formulas)
    return {"parallel_read_safe": True}
