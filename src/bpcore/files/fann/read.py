"""Reading of FANN's text files."""

from __future__ import annotations

import math
import re
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.fann.forms import FORMS, NAMES
from bpcore.files.regular import errors_of, read_whole
from bpcore.files.whole import Path
from bpcore.model.elements import Activation, Affine, Element, Linear
from bpcore.quoting import quoted

#: The most bytes of a file.
MOST_BYTES = 1 << 32

#: The most layers, that of the inputs included.
MOST_LAYERS = 100_000

#: First lines of the files, of this and of other kinds.
FIRST_LINE = b"FANN_FLO_2.1"
OTHER_FIRST_LINE = re.compile(rb"FANN_(FIX|FLO)_\d\.\d")

LINE = re.compile(rb"([A-Za-z_]{1,60})(?: \([a-z_, ]{1,80}\))?=")
NEURON = re.compile(rb"\((\d{1,10}), (\d{1,3}), ([-+.0-9e]{1,40})\) ?")
CONNECTION = re.compile(rb"\((\d{1,10}), ([-+.0-9e]{1,40})\) ?")


def read(path: Path) -> list[Element]:
    """The elements of a network in a file.

    Raises
    ------
    ModelFileError
        If it is damaged, of another kind, or has shortcuts, missing connections or an
        activation that this library lacks.
    OSError
        If the file cannot be read.
    """
    with errors_of(path):
        return Text(read_whole(path, MOST_BYTES)).elements()


class Text:
    """The bytes of a file, read once from the first to the last."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def refuse(self, why: str) -> NoReturn:
        """Raise: the file cannot be read at the present place."""
        raise ModelFileError(f"byte {self.at:,}: {why}")

    def elements(self) -> list[Element]:
        """The elements of the network."""
        header = self.header()
        sizes = self.sizes(header)
        neurons = [self.layer_neurons(l, size) for l, size in enumerate(sizes)]
        counts = [len(n) for n in neurons[1:]]
        inputs = sizes[:-1]
        for l, (units, n_in) in enumerate(zip(neurons[1:], inputs, strict=True), 1):
            for count, *_ in units:
                if count != n_in:
                    self.refuse(
                        f"layer {l}: each unit must have all {n_in} inputs; one has "
                        f"{count}: networks with shortcuts or missing connections "
                        "cannot be read"
                    )
        self.skip(b"\n", "the end of a line")
        self.name("connections")
        needed = sum(n * m for n, m in zip(inputs, counts, strict=True))
        if 6 * needed > len(self.data) - self.at:
            self.refuse(f"{needed:,} connections cannot be in the rest of the file")
        found: list[Element] = []
        first = 0
        for l, (n_in, units) in enumerate(zip(inputs, neurons[1:], strict=True), 1):
            W = self.weights(first, n_in, len(units))
            found += self.layer(l, W, units)
            first += n_in
        if self.data[self.at :].strip():
            self.refuse("there is more after the last connection")
        return found

    def header(self) -> dict[str, bytes]:
        """The lines before the neurons."""
        start = self.data[:64].split(b"\n", 1)[0].strip()
        if start != FIRST_LINE:
            kind = start.decode(errors="replace")
            if OTHER_FIRST_LINE.fullmatch(start):
                self.refuse(
                    f"is of kind {kind}; FANN_FLO_2.1 can be read, which fann_save of "
                    "FANN 2.1 or later writes for numbers in floating point"
                )
            self.refuse(f"is no file of FANN: it begins with {quoted(kind)}")
        self.at = self.data.index(b"\n") + 1
        found: dict[str, bytes] = {}
        while True:
            name = self.peek()
            if name == "neurons":
                return found
            end = self.data.find(b"\n", self.at)
            if name is None or end < 0 or end - self.at > 1 << 20:
                self.refuse("there must be a line name=value")
            if name in found:
                self.refuse(f"{name} is there twice")
            found[name] = self.data[self.at + len(name) + 1 : end].strip()
            self.at = end + 1

    def sizes(self, header: dict[str, bytes]) -> list[int]:
        """The number of neurons of each layer, with the bias."""
        for name in ("num_layers", "network_type", "layer_sizes"):
            if name not in header:
                self.refuse(f"there is no line {name}= before")
        if header["network_type"] != b"0":
            self.refuse(
                "network_type must be 0, a layered network: those with shortcuts "
                "cannot be read"
            )
        words = header["layer_sizes"].split(None, MOST_LAYERS + 1)
        if not 2 <= len(words) <= MOST_LAYERS or not all(
            re.fullmatch(rb"\d{1,10}", word) for word in words
        ):
            self.refuse(f"layer_sizes must be 2 to {MOST_LAYERS} numbers")
        sizes = [int(word) for word in words]
        if header["num_layers"] != str(len(sizes)).encode():
            self.refuse(f"num_layers must be the number of layer_sizes, {len(sizes)}")
        if min(sizes) < 2:
            self.refuse("layer_sizes must be at least 2, a unit and the bias")
        if 10 * sum(sizes) > len(self.data):
            self.refuse(f"{sum(sizes):,} neurons cannot be in this file")
        self.name("neurons")
        return sizes

    def layer_neurons(self, l: int, size: int) -> list[tuple[int, int, float]]:
        """Inputs, activation and steepness of each unit of a layer but the bias."""
        found = []
        for unit in range(size):
            match = NEURON.match(self.data, self.at)
            if match is None:
                self.refuse(f"there must be neuron {unit} of layer {l}")
            count, f, steepness = match.groups()
            found.append((int(count), int(f), self.number(steepness)))
            self.at = match.end()
        bias = found.pop()
        if bias[0] or (l == 0 and any(count for count, *_ in found)):
            self.refuse(
                f"layer {l}: its last neuron, the bias, and the inputs must have no "
                "connections: networks with shortcuts cannot be read"
            )
        return found

    def weights(self, first: int, n_in: int, n_out: int) -> NDArray[np.float64]:
        """W and b, (n_in, n_out) together, from neurons that begin with `first`."""
        W = np.full((n_in, n_out), np.nan)
        for j in range(n_out):
            for _ in range(n_in):
                match = CONNECTION.match(self.data, self.at)
                if match is None:
                    self.refuse("there must be a connection (neuron, weight)")
                i = int(match[1]) - first
                if not 0 <= i < n_in or not math.isnan(W[i, j]):
                    self.refuse(
                        f"a unit must have one connection from each of the neurons "
                        f"{first} to {first + n_in - 1}; got one from {i + first}"
                    )
                W[i, j] = self.number(match[2])
                self.at = match.end()
        return W

    def layer(
        self, l: int, W: NDArray[np.float64], units: list[tuple[int, int, float]]
    ) -> list[Element]:
        """The elements of a layer."""
        at = f"layer {l}"
        functions = {f for _, f, _ in units}
        if len(functions) > 1:
            self.refuse(f"{at}: all units must have one activation")
        (f,) = functions
        name = NAMES[f] if f < len(NAMES) else str(f)
        if name not in FORMS:
            self.refuse(
                f"{at}: there is no activation here for FANN_{name}; those of "
                f"{', '.join(f'FANN_{known}' for known in FORMS)} can be read"
            )
        form = FORMS[name]
        steepness = np.array([s for *_, s in units])
        found: list[Element] = [
            Linear(W[:-1], W[-1], at=at),
            Affine(form.factor * steepness, np.array([form.start]), at=at),
            Activation(form.f, at=at),
        ]
        if form.scale != 1:
            found.append(Affine(np.array([form.scale]), np.array([form.shift]), at=at))
        return found

    def peek(self) -> str | None:
        """The name of the line that begins at the present place, if one does."""
        match = LINE.match(self.data, self.at)
        return None if match is None else match[1].decode()

    def name(self, name: str) -> None:
        """Go past ``name=``."""
        if self.peek() != name:
            self.refuse(f"there must be a line {name}=")
        self.at = self.data.index(b"=", self.data.index(b")", self.at)) + 1

    def skip(self, text: bytes, what: str) -> None:
        """Go past a text."""
        if not self.data.startswith(text, self.at):
            self.refuse(f"there must be {what}")
        self.at += len(text)

    def number(self, text: bytes) -> float:
        """A finite number."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.refuse(f"{text.decode()!r} is no finite number")
        return value
