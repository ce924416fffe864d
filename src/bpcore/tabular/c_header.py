"""A fitted estimator as a C header: encoder, networks and targets."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.files.c.export import arguments, checked_name, checked_weights, scratch
from bpcore.files.c.header import Header, described
from bpcore.files.c.network import Buffers, add_network, each
from bpcore.files.c.quantise import quantised_state
from bpcore.files.c.report import CReport, differences
from bpcore.files.c.source import Source
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.tabular.encoder import Encoder
from bpcore.tabular.numeric import RobustScale, block_of_numbers
from bpcore.tabular.table import Table
from bpcore.tabular.targets import Classes, Standardised

#: Test vectors in a header.
TESTS = 4

#: Most of a random number in a test vector.
FAR = 1e300

#: Most columns and classes that are listed in the comment.
MOST_LISTED = 100

ENCODER = """
/* 3 t / sqrt(1 + t^2) with t = (x - centre) factor / 3;  0 for NaN */
static inline REAL NAME_scaled(double x, double centre, double factor) {
    double t = (x - centre) * factor / 3;
    t = ABS(t) < 1e150 ? t : COPYSIGN(1e150, t);
    t = factor != 0 && x == x ? t : 0;
    return (REAL)(3 * t / SQRT(1 + t * t));
}
"""

DECODER = """
/* z deviation + mean, no further than the targets of the training */
static inline double NAME_decoded(REAL z, int32_t j) {
    double y = (double)z * DEVIATION[j] + MEAN[j];
    y = y > LEAST[j] ? y : LEAST[j];
    return y < MOST[j] ? y : MOST[j];
}
"""

IN_ORDER = """
/* The quantiles y[0], y[1], ... of a row, put into their order. */
static inline void NAME_in_order(double *y) {
    double sorted[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > y[i]; at--) sorted[at] = sorted[at - 1];
        sorted[at] = y[i];
    }
    for (int i = 0; i < COUNT; i++) y[i] = sorted[RANK[i]];
}
"""


@own_errstate
def estimator_header(
    model: Any, name: str, weights: str | None, X: Any, y: Any
) -> tuple[str, CReport]:
    """The header of a fitted `Classifier` or `Regressor`, and what it costs.

    Raises
    ------
    ValueError
        If an argument is not as described, or a column has categories.
    """
    encoder, targets = model.encoder_, model.targets_
    checked_name(name)
    weights = checked_weights(model.networks_[0].dtype, weights)
    require_numbers(encoder)
    if y is not None and X is None:
        raise ValueError("X must be given with y")
    written = model
    layers: list[Any] = [None] * len(model.networks_)
    if weights == "int8":
        written = copy.copy(model)
        both = [with_weights_of_8_bits(network) for network in model.networks_]
        written.networks_ = [network for network, _ in both]
        layers = [of_network for _, of_network in both]
    header = header_of(encoder, model.networks_, layers, targets, name, weights)
    report = CReport(name, weights, header.source.flash, header.ram)
    if X is not None:
        report = measured(report, model, written, X, y)
        header.notes += report.loss_of_accuracy() if weights == "int8" else []
    rows = test_rows(encoder) if X is None else numbers_of(encoder, X)[:TESTS]
    out = outputs(written, rows).reshape(len(rows), -1)
    return header.text(rows, out), report


def require_numbers(encoder: Encoder) -> None:
    """Raise if a column has categories, which C does not read."""
    for column in encoder.categories:
        title = encoder.names[column.place] if encoder.names else column.place
        raise ValueError(
            f"to_c needs columns of numbers only; column {quoted(title)} has "
            f"categories ({len(column.categories.names)}): to_onnx writes them"
        )


def with_weights_of_8_bits(network: Network) -> tuple[Network, list[Any]]:
    """A copy of a network with rounded weights, and these as whole numbers."""
    learner = learner_of(network)
    state, layers = quantised_state(learner.design, learner.state)
    found = copy.copy(network)
    found.parameters[...] = state.parameters
    return found, layers


def outputs(model: Any, X: NDArray[np.float64]) -> NDArray[Any]:
    """The probabilities of a classifier, the predictions of a regressor."""
    classifies = isinstance(model.targets_, Classes)
    found: NDArray[Any] = model.predict_proba(X) if classifies else model.predict(X)
    return found


def measured(report: CReport, model: Any, written: Any, X: Any, y: Any) -> CReport:
    """The report with the differences of the outputs, and the scores of both."""
    rows = numbers_of(model.encoder_, X)
    largest, mean = differences(outputs(model, rows), outputs(written, rows))
    scores: list[dict[str, float]] = [{}, {}]
    if y is not None:
        kind = "accuracy" if isinstance(model.targets_, Classes) else "score"
        scores = [{kind: one.score(rows, y)} for one in (model, written)]
    return dataclasses.replace(
        report,
        largest_difference=largest,
        mean_difference=mean,
        before=scores[0],
        after=scores[1],
    )


def numbers_of(encoder: Encoder, X: Any) -> NDArray[np.float64]:
    """The rows of a table as float64, after the checks of the encoder."""
    encoder("X", X)
    return block_of_numbers(Table("X", X), encoder.numbers.places)


def test_rows(encoder: Encoder) -> NDArray[np.float64]:
    """Inputs of test vectors: missing values, and random numbers near the centres."""
    scale = encoder.numbers.scale
    random = np.random.default_rng(0).normal(size=(TESTS, len(scale.centre)))
    found = scale.centre + random / np.where(scale.factor > 0, scale.factor, 1)
    found[0] = np.nan
    return np.clip(found, -FAR, FAR)


# --- the source -----------------------------------------------------------------------


def header_of(
    encoder: Encoder,
    networks: Sequence[Network],
    layers: Sequence[Any],
    targets: Classes | Standardised,
    name: str,
    weights: str,
) -> Header:
    """The header without test vectors."""
    source = Source(name, networks[0].dtype.name)
    design, n_out = learner_of(networks[0]).design, networks[0].sizes[-1]
    buffers = Buffers.of(design)
    arrays = [(source.dtype, "encoded", encoder.width)]
    body = add_encoder(source, encoder)
    calls = [
        add_network(source, f"network{i}_", *learner_of(n).folded(False), quantised)
        for i, (n, quantised) in enumerate(zip(networks, layers, strict=True))
    ]
    last = arguments(buffers)
    classifies = isinstance(targets, Classes)
    if len(calls) == 1 and classifies:
        body.append(f"{calls[0]}(encoded, out, {last});")
    else:
        arrays.append((source.dtype, "member", n_out))
        decode = "member[i]"
        if isinstance(targets, Standardised):
            decode = add_decoder(source, targets)
            if len(calls) > 1:
                arrays.append(("float64", "decoded", n_out))
        for i, call in enumerate(calls):
            body.append(f"{call}(encoded, member, {last});")
            body += add_member(source, targets, decode, i, len(calls), n_out)
    kind = "Classifier" if classifies else "Regressor"
    network = described(design.sizes, design.activations)
    return Header(
        source,
        f"{kind}, {len(calls)} x ({network}), {weights} weights",
        (encoder.n_columns, n_out),
        ("float64", source.dtype if classifies else "float64"),
        [*arrays, *scratch(source.dtype, buffers)],
        body,
        "largest" if classifies else "",
        listed(encoder, targets),
        " with the\nweights of 8 bits" if weights == "int8" else "",
    )


def listed(encoder: Encoder, targets: Classes | Standardised) -> list[str]:
    """The columns and the classes, for the comment."""
    names = encoder.names or [f"column {j}" for j in range(encoder.n_columns)]
    lines = ["", "Inputs, NaN where a value is missing:"]
    lines += [f"    x[{j}]  {one_line(name)}" for j, name in enumerate(names)]
    if isinstance(targets, Classes):
        lines += ["", "Classes:"]
        classes = enumerate(targets.names.tolist())
        lines += [f"    {i}  {one_line(name)}" for i, name in classes]
    if len(lines) > MOST_LISTED:
        lines = [*lines[:MOST_LISTED], "    ..."]
    return lines


def one_line(name: Any) -> str:
    """A name without line breaks."""
    return " ".join(str(name).split())


def add_encoder(source: Source, encoder: Encoder) -> list[str]:
    """The statements from x to `encoded`."""
    numbers = encoder.numbers
    code = ENCODER
    for word, function in (("ABS", "abs"), ("COPYSIGN", "copysign"), ("SQRT", "sqrt")):
        code = code.replace(f"{word}(", f"{source.function(function, 'float64')}(")
    source.formula(code)
    count, scaled = len(numbers.places), f"{source.name}_scaled"
    centre, factor = scale_arrays(source, "encoder", numbers.scale)
    value = f"{scaled}(x[i], {centre}[i], {factor}[i])"
    lines = [each(count, f"encoded[i] = {value};")]
    if numbers.marked:
        centre, factor = scale_arrays(source, "marks", numbers.marks)
        for k, j in enumerate(numbers.marked):
            mark = f"x[{j}] != x[{j}]"
            value = f"{scaled}({mark}, {centre}[{k}], {factor}[{k}])"
            lines.append(f"encoded[{count + k}] = {value};")
    return lines


def scale_arrays(source: Source, label: str, scale: RobustScale) -> tuple[str, str]:
    """The arrays of the centres and factors."""
    centre = source.array(f"{label}_centre", scale.centre)
    return centre, source.array(f"{label}_factor", scale.factor)


def add_decoder(source: Source, targets: Standardised) -> str:
    """The value of output i of a network; the function for it is added."""
    code = DECODER
    for word, values in (
        ("DEVIATION", targets.deviation),
        ("MEAN", targets.mean),
        ("LEAST", targets.least),
        ("MOST", targets.most),
    ):
        code = code.replace(word, source.array(word.lower(), values))
    source.formula(code)
    if targets.quantiles is None:
        return f"{source.name}_decoded(member[i], i)"
    ranks = np.argsort(np.argsort(targets.quantiles)).astype(np.int8)
    code = IN_ORDER.replace("COUNT", str(len(ranks)))
    source.formula(code.replace("RANK", source.array("rank", ranks)))
    return f"{source.name}_decoded(member[i], 0)"


def add_member(
    source: Source,
    targets: Classes | Standardised,
    decode: str,
    i: int,
    count: int,
    n_out: int,
) -> list[str]:
    """The statements that add the outputs of network i to the mean of `count`."""
    lines, value = [], decode
    quantiles = isinstance(targets, Standardised) and targets.quantiles is not None
    if isinstance(targets, Standardised):
        to = "out" if count == 1 else "decoded"
        lines.append(each(n_out, f"{to}[i] = {decode};"))
        if quantiles:
            lines.append(f"{source.name}_in_order({to});")
        value = "decoded[i]"
    if count > 1:
        lines.append(each(n_out, f"out[i] {'+=' if i else '='} {value} / {count};"))
    return lines
