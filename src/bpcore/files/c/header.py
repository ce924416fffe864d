"""The parts of a C header, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.files.c.function import NUMBERS
from bpcore.files.c.source import Source, in_lines, literal
from bpcore.files.c.templates import (
    ABOUT,
    BEGIN,
    END,
    FMA,
    FMA_MACRO,
    LABELS,
    PREDICT,
    SELF_TEST,
    TOLERANCE,
    TOP,
)
from bpcore.version import VERSION


@dataclass
class Header:
    """What a C header consists of.

    Attributes
    ----------
    source : Source
        The functions and arrays.
    what : str
        What it computes, for its first line.
    sizes : tuple of int
        The numbers of inputs and outputs.
    dtypes : tuple of str
        Their dtypes.
    scratch : list of (dtype, str, int)
        The arrays of `NAME_predict`: dtype, name, numbers.
    body : list of str
        The statements of `NAME_predict`, from x to out.
    label : str
        "largest", "half" or "": how the class is found from the outputs.
    notes : list of str
        Further lines of its comment.
    whose : str
        Of what network the outputs are, if not of the one that was written.
    """

    source: Source
    what: str
    sizes: tuple[int, int]
    dtypes: tuple[str, str]
    scratch: list[tuple[str, str, int]]
    body: list[str]
    label: str = ""
    notes: list[str] = field(default_factory=list)
    whose: str = ""

    @property
    def ram(self) -> int:
        """Bytes of the arrays of `NAME_predict`."""
        return sum(np.dtype(dtype).itemsize * n for dtype, _, n in self.scratch)

    def text(self, X: NDArray[Any], out: NDArray[Any]) -> str:
        """The header, with rows X and their outputs as test vectors."""
        self.source.function("bits", self.dtypes[1])
        values = self._values(X, out)
        parts = [
            in_comment(ABOUT.substitute(values)),
            TOP.substitute(values),
            *map(self._fma, self.source.dtypes),
            BEGIN,
            self.source.text(),
            PREDICT.substitute(values),
            LABELS[self.label].substitute(values),
            SELF_TEST.substitute(values),
            END,
        ]
        return "".join(parts)

    def _values(self, X: NDArray[Any], out: NDArray[Any]) -> dict[str, Any]:
        """What is written into the templates."""
        source, dtype = self.source, self.dtypes[1]
        macros = [FMA[used] for used in source.dtypes]
        scratch = [
            f"BPCORE_SCRATCH {real(d)} {name}[{n}];" for d, name, n in self.scratch
        ]
        label = "    int {0}_label(const {1} out[{2}])\n        The class, from 0.\n"
        return {
            "name": source.name,
            "upper": source.name.upper(),
            "what": self.what,
            "version": VERSION,
            "flash": f"{source.flash:,}",
            "ram": f"{self.ram:,}",
            "ram_number": self.ram,
            "x_real": real(self.dtypes[0]),
            "out_real": real(dtype),
            "n_in": self.sizes[0],
            "n_out": self.sizes[1],
            "functions": label.format(source.name, real(dtype), self.sizes[1])
            if self.label
            else "",
            "macros": " and ".join(f"{macro}(a, b, c)" for macro, *_ in macros),
            "fma": " and ".join(
                f"{f.removeprefix('__builtin_')}(a, b, c)" for _, f, *_ in macros
            ),
            "notes": "".join(f"\n{note}" for note in self.notes),
            "whose": self.whose,
            "body": "".join(f"    {line}\n" for line in [*scratch, *self.body]),
            "rows": len(X),
            "x": _rows(X, self.dtypes[0]),
            "expected": _rows(out, dtype),
            "bits": f"{source.prefix(dtype)}_bits",
            "tolerance": TOLERANCE[source.dtype],
        }

    def _fma(self, dtype: str) -> str:
        macro, function, *where = FMA[dtype]
        return FMA_MACRO.substitute(
            prefix=self.source.prefix(dtype).upper(),
            macro=macro,
            function=function,
            condition=" \\\n     ".join(where),
        )


def in_comment(text: str) -> str:
    r"""A text as a comment of C.

    Examples
    --------
    >>> from bpcore.files.c.header import in_comment
    >>> print(in_comment("one\n\ntwo"))
    /* one
     *
     * two */
    <BLANKLINE>
    """
    lines = text.replace("*/", "* /").replace("/*", "/ *").strip().split("\n")
    return (
        "/* "
        + "\n".join([lines[0], *(f" * {x}".rstrip() for x in lines[1:])])
        + " */\n"
    )


def real(dtype: str) -> str:
    """The type in C."""
    return NUMBERS[dtype]["REAL"]


def _rows(values: NDArray[Any], dtype: str) -> str:
    """Rows of numbers in hexadecimal as C writes them."""
    written, indent = _written(dtype), " " * 8
    rows = [in_lines(map(written, row), indent + "    ") for row in values.tolist()]
    return "\n".join(f"{indent}{{\n{row}{indent}}}," for row in rows)


def _written(dtype: str) -> Any:
    def written(value: float) -> str:
        if value != value:  # NaN
            return "(0.0f / 0.0f)" if dtype == "float32" else "(0.0 / 0.0)"
        if value in (np.inf, -np.inf):
            return ("-" if value < 0 else "") + "(1.0f / 0.0f)"
        return literal(value.hex(), dtype)

    return written


def class_rule(loss: str, n_out: int) -> str:
    """How the class of a sample is found from its outputs, as in ``Header.label``.

    Examples
    --------
    >>> from bpcore.files.c.header import class_rule
    >>> class_rule("cross_entropy", 3), class_rule("squared_error", 3)
    ('largest', '')
    """
    if loss == "cross_entropy":
        return "largest"
    return "half" if loss == "binary_cross_entropy" and n_out == 1 else ""


def described(sizes: Sequence[int], activations: Sequence[str]) -> str:
    """The layers of a network in one line.

    Examples
    --------
    >>> from bpcore.files.c.header import described
    >>> described((4, 16, 3), ("relu", "softmax"))
    '4 -> 16 relu -> 3 softmax'
    """
    layers = zip(sizes[1:], activations, strict=True)
    return " -> ".join([str(sizes[0]), *(f"{n} {f}" for n, f in layers)])
