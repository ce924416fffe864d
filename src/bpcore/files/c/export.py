"""A network as a C header."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bpcore import checks
from bpcore.arrays import Real
from bpcore.engine.engine import Engine
from bpcore.errstate import own_errstate
from bpcore.files.c.header import Header, class_rule, described
from bpcore.files.c.network import Buffers, add_network
from bpcore.files.c.quantise import quantised_state
from bpcore.files.c.report import CReport, differences
from bpcore.files.c.source import Source
from bpcore.metrics import MetricLike
from bpcore.model.design import Design
from bpcore.quoting import quoted
from bpcore.training import outputs
from bpcore.training.learner import Learner

#: Test vectors in a header.
TESTS = 4

#: Elements of an array that C counts in an int32_t.
MOST = 2**31 - 1


@own_errstate
def network_header(
    learner: Learner,
    name: str,
    weights: str | None = None,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    metrics: MetricLike | Sequence[MetricLike] | None = None,
) -> tuple[str, CReport]:
    """The header of a network, and what it costs.

    Parameters
    ----------
    learner : Learner
    name : str
        The prefix of all names in C.
    weights : "int8", or the dtype of the network, optional
    X, y, metrics : optional
        Rows, whose first ones are the test vectors, and targets, to measure the loss of
        accuracy.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.c.export import network_header
    >>> text, report = network_header(bp.Network([2, 3, 1]).learner, "model")
    >>> report.flash_bytes, report.ram_bytes
    (52, 12)
    """
    checked_name(name)
    weights = checked_weights(learner.dtype, weights)
    if y is not None and X is None:
        raise ValueError("X must be given with y")
    if metrics is not None and y is None:
        raise ValueError("X and y must be given with metrics")
    rows = None if X is None else outputs.rows_to_predict(learner, X)[0]
    design, state = learner.folded(with_scale=False)
    require_few(design)
    layers = None
    if weights == "int8":
        state, layers = quantised_state(design, state)
    written = Learner(design, state, Engine, 1)  # whose bits the header has
    source = Source(name, learner.dtype.name)
    function = add_network(source, "network", design, state, layers)
    header = Header(
        source,
        what_it_is(design, weights),
        (design.sizes[0], design.sizes[-1]),
        (source.dtype, source.dtype),
        scratch(source.dtype, Buffers.of(design)),
        [f"{function}(x, out, {arguments(Buffers.of(design))});"],
        class_rule(design.loss.name, design.sizes[-1]),
        whose="" if layers is None else " with the\nweights of 8 bits",
    )
    report = CReport(name, weights, source.flash, header.ram)
    if rows is not None:
        report = measured(report, learner, written, rows, y, metrics)
        header.notes += report.loss_of_accuracy() if weights == "int8" else []
    tests = test_rows(design, learner.dtype) if rows is None else rows[:TESTS]
    return header.text(tests, written.outputs(tests)), report


def measured(
    report: CReport,
    learner: Learner,
    written: Learner,
    rows: Real,
    y: Any,
    metrics: Any,
) -> CReport:
    """The report with the differences of the outputs, and the metrics of both."""
    if not np.isfinite(rows).all():
        raise ValueError("X must be finite")
    largest, mean = differences(learner.outputs(rows), written.outputs(rows))
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    if y is not None:
        chosen = () if metrics is None else metrics
        before, after = (
            as_dict(outputs.evaluate(one, rows, y, None, None, chosen))
            for one in (learner, written)
        )
    return dataclasses.replace(
        report,
        largest_difference=largest,
        mean_difference=mean,
        before=before,
        after=after,
    )


def as_dict(evaluated: Any) -> dict[str, float]:
    """A loss, or a loss and metrics, by name."""
    return evaluated if isinstance(evaluated, dict) else {"loss": evaluated}


def test_rows(design: Design, dtype: np.dtype[Any]) -> Real:
    """Inputs of test vectors: zeros, and random numbers."""
    found = np.random.default_rng(0).normal(size=(TESTS, design.sizes[0]))
    found[0] = 0
    return found.astype(dtype)


def scratch(dtype: str, buffers: Buffers) -> list[tuple[str, str, int]]:
    """The arrays of values between layers, those that are needed."""
    named = (("even", buffers.even), ("odd", buffers.odd))
    return [(dtype, name, count) for name, count in named if count]


def arguments(buffers: Buffers) -> str:
    """The last two arguments of a network's function."""
    return f"{'even' if buffers.even else 0}, {'odd' if buffers.odd else 0}"


def what_it_is(design: Design, weights: str) -> str:
    """The layers, the weights and the loss in one line."""
    layers = described(design.sizes, design.activations)
    if len(layers) > 60:
        layers = f"{len(design.sizes) - 1} layers"
    return f"{layers}, {weights} weights, {design.loss.name}"


def checked_name(name: str) -> None:
    """Raise unless a text may begin names in C."""
    if not isinstance(name, str) or not re.fullmatch(
        "[A-Za-z][A-Za-z0-9_]{0,60}", name
    ):
        raise ValueError(
            "name must be a letter and then letters, digits or _, at most 61 in all; "
            f"got {quoted(name)}"
        )


def checked_weights(dtype: np.dtype[Any], weights: str | None) -> str:
    """The type of the weights in C."""
    if weights is None:
        return dtype.name
    return checks.one_of("weights", weights, (dtype.name, "int8"))


def require_few(design: Design) -> None:
    """Raise if an array is too large for C."""
    largest = max(n * m for n, m in zip(design.sizes, design.sizes[1:], strict=False))
    if largest > MOST:
        raise ValueError(f"a layer must have at most 2^31 - 1 weights; got {largest:,}")
