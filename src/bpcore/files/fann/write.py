"""Writing of FANN's text files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from bpcore.arrays import Real
from bpcore.files.fann.forms import FORMS, NAMES, WRITTEN
from bpcore.files.whole import Path, write_whole

#: The lines of a file before the layers' sizes: FANN's defaults.
HEADER = """\
FANN_FLO_2.1
num_layers={layers}
learning_rate=0.700000
connection_rate=1.000000
network_type=0
learning_momentum=0.000000
training_algorithm=2
train_error_function=1
train_stop_function=0
cascade_output_change_fraction=0.010000
quickprop_decay=-0.000100
quickprop_mu=1.750000
rprop_increase_factor=1.200000
rprop_decrease_factor=0.500000
rprop_delta_min=0.000000
rprop_delta_max=50.000000
rprop_delta_zero=0.100000
cascade_output_stagnation_epochs=12
cascade_candidate_change_fraction=0.010000
cascade_candidate_stagnation_epochs=12
cascade_max_out_epochs=150
cascade_min_out_epochs=50
cascade_max_cand_epochs=150
cascade_min_cand_epochs=50
cascade_num_candidate_groups=2
bit_fail_limit=3.49999994039535522461e-01
cascade_candidate_limit=1.00000000000000000000e+03
cascade_weight_multiplier=4.00000005960464477539e-01
cascade_activation_functions_count=10
cascade_activation_functions=3 5 7 8 10 11 14 15 16 17{space}
cascade_activation_steepnesses_count=4
cascade_activation_steepnesses=2.50000000000000000000e-01 \
5.00000000000000000000e-01 7.50000000000000000000e-01 1.00000000000000000000e+00{space}
layer_sizes={sizes}{space}
scale_included=0
neurons (num_inputs, activation_function, activation_steepness)="""


def write(
    path: Path,
    activations: Sequence[str],
    weights: Sequence[Real],
    biases: Sequence[Real],
) -> None:
    """Write a network as a file, at steepness 1, or 0.5 for the sigmoid.

    `activations` are this library's names, of those in ``WRITTEN``.
    """
    write_whole(path, _parts(activations, weights, biases))


def _parts(
    activations: Sequence[str], weights: Sequence[Real], biases: Sequence[Real]
) -> Iterator[bytes]:
    """The bytes of a file."""
    sizes = [len(weights[0]) + 1, *(W.shape[1] + 1 for W in weights)]
    text = HEADER.format(layers=len(sizes), sizes=" ".join(map(str, sizes)), space=" ")
    yield text.encode()
    nothing = f"(0, 0, {_digits(0.0)}) "
    yield (nothing * sizes[0]).encode()
    for f, W in zip(activations, weights, strict=True):
        name = WRITTEN[f]
        steepness = _digits(_steepness(f))
        neuron = f"({len(W) + 1}, {NAMES.index(name)}, {steepness}) "
        yield (neuron * W.shape[1] + nothing).encode()
    yield b"\nconnections (connected_to_neuron, weight)="
    starts = itertools.accumulate(sizes, initial=0)
    layers = zip(activations, weights, biases, starts, strict=False)
    for f, W, b, first in layers:
        form = FORMS[WRITTEN[f]]
        factor = form.factor * _steepness(f)
        for column, bias in zip(W.T.astype(np.float64), b.tolist(), strict=True):
            values = [*(column / factor), (bias - form.start) / factor]
            yield "".join(
                f"({first + i}, {_digits(value)}) " for i, value in enumerate(values)
            ).encode()
    yield b"\n"


def _steepness(f: str) -> float:
    """The steepness with which an activation is written."""
    return 0.5 if f == "sigmoid" else 1.0


def _digits(value: float) -> str:
    return f"{value:.20e}"
