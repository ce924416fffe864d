"""The page as one HTML document, and in a frame of a notebook."""

from __future__ import annotations

import html
from importlib.resources import files
from string import Template

from bpcore.show.html import embedded
from bpcore.tracing.derivation import in_a_line
from bpcore.tracing.page.data import page_data
from bpcore.tracing.section import LAYERS, SMALL
from bpcore.tracing.step import Step

#: The scripts in the order of ``tracing.page``.
SCRIPTS = (
    *("numbers", "phases", "paths", "drawing", "paint", "units", "weights", "tables"),
    "page",
)
#: Most units a layer, layers, weights, and activations of all rows on a page.
MOST_UNITS, MOST_LAYERS, MOST_WEIGHTS, MOST_ACTIVATIONS = 32, 16, 4_000, 20_000
#: Most activations of all rows that a notebook shows as a page: about 150 KB.
IN_NOTEBOOK = 1_000


def document(step: Step) -> str:
    """The page: style, script and numbers in one text.

    Raises
    ------
    ValueError
        If there are too many units, layers, weights or rows.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.page.document import document
    >>> step = bp.trace(bp.Network([1, 1], rng=0), [[3.0]], [[2.0]])
    >>> document(step).splitlines()[0]
    '<!doctype html>'
    """
    if not fits(step, MOST_UNITS, MOST_LAYERS, MOST_ACTIVATIONS):
        raise ValueError(
            f"a page shows networks of at most {MOST_UNITS} units a layer, "
            f"{MOST_LAYERS} layers and {MOST_WEIGHTS:,} weights, and at most "
            f"{MOST_ACTIVATIONS:,} activations of all rows together; got "
            f"{in_a_line(step.sizes, '-')} and {len(step.X):,} rows"
        )
    return Template(source("page.html")).substitute(
        style=source("page.css"),
        script="\n".join(source(f"{name}.js") for name in SCRIPTS),
        data=embedded(page_data(step)),
    )


def fits(step: Step, units: int, layers: int, activations: int) -> bool:
    """Whether a step is within these bounds.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.page.document import fits
    >>> step = bp.trace(bp.Network([2, 1], rng=0), [[3.0, 1.0]], [[2.0]])
    >>> fits(step, 2, 1, 3), fits(step, 2, 1, 2)
    (True, False)
    """
    return (
        max(step.sizes) <= units
        and step.n_layers <= layers
        and sum(W.size for W in step.dW) <= MOST_WEIGHTS
        and len(step.X) * sum(step.sizes) <= activations
    )


def fits_notebook(step: Step) -> bool:
    """Whether a notebook shows the step as a page.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.page.document import fits_notebook
    >>> fits_notebook(bp.trace(bp.Network([9, 1], rng=0), [[1.0] * 9], [[2.0]]))
    False
    """
    return fits(step, SMALL, LAYERS, IN_NOTEBOOK)


def frame(step: Step) -> str:
    """The page in a frame, so that styles and scripts of the notebook stay apart.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.page.document import frame
    >>> step = bp.trace(bp.Network([1, 1], rng=0), [[3.0]], [[2.0]])
    >>> frame(step)[:47]
    '<iframe title="one training step" sandbox="allo'
    """
    height = min(460 + 90 * max(step.sizes), 1000)
    return (
        '<iframe title="one training step" sandbox="allow-scripts" loading="lazy" '
        f'style="width: 100%; height: {height}px; border: 0" '
        f'srcdoc="{html.escape(document(step))}"></iframe>'
    )


def source(name: str) -> str:
    """A file of this folder."""
    return (files(__package__) / name).read_text(encoding="utf-8")
