"""Source: the functions and arrays of a C header under construction."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.files.c.function import NUMBERS
from bpcore.files.c.functions import FUNCTIONS
from bpcore.files.coefficients import coefficients

#: Characters of a line.
WIDTH = 88

#: The suffix of a number of each dtype.
SUFFIX = {"float32": "f", "float64": ""}


class Source:
    """The functions and arrays of a header, and the bytes of the arrays.

    Attributes
    ----------
    name : str
        The prefix of all names.
    dtype : str
        "float32" or "float64": the type of most numbers.
    flash : int
        Bytes of constant arrays.

    Examples
    --------
    >>> from bpcore.files.c.source import Source
    >>> source = Source("model", "float32")
    >>> source.function("relu")
    'model_relu'
    >>> print(source.text().strip())
    static inline float model_relu(float z) { return 0 > z ? 0 : z; }
    """

    def __init__(self, name: str, dtype: str) -> None:
        self.name, self.dtype, self.flash = name, dtype, 0
        self._parts: list[str] = []
        self._known: set[tuple[str, str]] = set()
        self._fma: set[str] = set()

    @property
    def dtypes(self) -> list[str]:
        """The dtypes of its fused multiply-adds, and its own."""
        return sorted(self._fma | {self.dtype})

    def function(self, function: str, dtype: str | None = None) -> str:
        """The name in C of a function, which is added with those that it needs."""
        dtype = dtype or self.dtype
        prefix = self.prefix(dtype)
        if (function, dtype) not in self._known:
            self._known.add((function, dtype))
            if function.isupper():
                numbers = coefficients(dtype, function)
                self._add_array(f"{prefix}_{function}", numbers, dtype)
            else:
                needs, text = FUNCTIONS[function]
                for needed in needs:
                    self.function(needed, dtype)
                if "FMA(" in text:
                    self._fma.add(dtype)
                self.code(in_c(text, prefix, dtype))
        return f"{prefix}_{function}"

    def prefix(self, dtype: str) -> str:
        """The prefix of the names of functions of a dtype."""
        return self.name if dtype == self.dtype else f"{self.name}_{dtype}"

    def array(self, name: str, values: NDArray[Any]) -> str:
        """The name in C of a constant array of numbers, or of integers of 8 bits."""
        name = f"{self.name}_{name}"
        if values.dtype == np.int8:
            self.flash += values.size
            self._declare(f"int8_t {name}[{values.size}]", map(str, values.flat))
            return name
        numbers = [float(value).hex() for value in values.flat]
        self._add_array(name, numbers, values.dtype.name)
        return name

    def formula(self, text: str) -> None:
        """Add C code written as in ``function``, in the dtype of the header."""
        self.code(in_c(text, self.name, self.dtype))

    def code(self, text: str) -> None:
        """Add C code."""
        self._parts.append(text)

    def text(self) -> str:
        """Everything that was added, in order."""
        return "".join(self._parts)

    def _add_array(self, name: str, numbers: list[str], dtype: str) -> None:
        self.flash += len(numbers) * np.dtype(dtype).itemsize
        literals = (literal(number, dtype) for number in numbers)
        self._declare(f"{NUMBERS[dtype]['REAL']} {name}[{len(numbers)}]", literals)

    def _declare(self, declared: str, values: Iterable[str]) -> None:
        self._parts.append(f"\nstatic const {declared} = {{\n{in_lines(values)}}};\n")


def in_c(text: str, prefix: str, dtype: str) -> str:
    """The text of ``functions`` with names and numbers of a prefix and a dtype.

    Examples
    --------
    >>> from bpcore.files.c.source import in_c
    >>> in_c("REAL x = FMA(NAME_exp(y), 0.5r, 1);", "model", "float32")
    'float x = MODEL_FMA(model_exp(y), 0.5f, 1);'
    """
    for name, value in NUMBERS[dtype].items():
        text = re.sub(rf"\b{name}\b", value, text)
    text = re.sub(
        r"\b((?:0x)?[0-9][0-9a-f.]*(?:p[+-]\d+)?)r\b", rf"\1{SUFFIX[dtype]}", text
    )
    text = re.sub(
        r"\bPOLYNOMIAL\((\w+), ",
        lambda m: f"NAME_polynomial(NAME_{m[1]}, {len(coefficients(dtype, m[1]))}, ",
        text,
    )
    text = re.sub(r"\bFMA\(", f"{prefix.upper()}_FMA(", text)
    return re.sub(r"\bNAME_", f"{prefix}_", text)


def literal(number: str, dtype: str) -> str:
    """A number in hexadecimal as C writes it, in the shortest form.

    Examples
    --------
    >>> from bpcore.files.c.source import literal
    >>> literal((0.1).hex(), "float64"), literal((-1.5).hex(), "float32")
    ('0x1.999999999999ap-4', '-0x1.8p+0f')
    """
    mantissa, exponent = number.split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}{SUFFIX[dtype]}"


def in_lines(values: Iterable[str], indent: str = "    ") -> str:
    r"""Values with commas, in lines of up to ``WIDTH`` characters.

    Examples
    --------
    >>> from bpcore.files.c.source import in_lines
    >>> in_lines(["1", "2"])
    '    1, 2,\n'
    """
    lines, line = [], indent[:-1]
    for value in values:
        if len(line) + len(value) + 2 > WIDTH:
            lines.append(line)
            line = indent[:-1]
        line += f" {value},"
    return "".join(f"{line}\n" for line in [*lines, line])
