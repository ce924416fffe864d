"""Strict reading of what is stored: every array is checked before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.quoting import joined, quoted
from bpcore.schedules import Plateau

#: Bounds of the counters of a stored state.
MOST_STEPS = 1 << 40
MOST_EPOCHS = 1 << 40


class Reader:
    """Returns arrays by name, checked; `finish` raises if some were not read."""

    def __init__(self, stored: Mapping[str, Any], what: str = "state") -> None:
        checks.instance(what, stored, Mapping)
        self.left, self.what = dict(stored), what

    def has(self, name: str) -> bool:
        return name in self.left

    def item(self, name: str) -> Any:
        """The value of that name, unchecked, which is read once."""
        if name not in self.left:
            raise ValueError(f"{self.what} must have {name!r}; it is missing")
        return self.left.pop(name)

    def items(self, name: str, least: int) -> tuple[Any, ...]:
        """The tuple of that name, of at least so many entries, each unchecked."""
        values = self.item(name)
        if not isinstance(values, tuple) or len(values) < least:
            raise ValueError(
                f"{name} must be a tuple of at least {least}; got {quoted(values)}"
            )
        return values

    def take(self, name: str) -> Any:
        """The array of that name, which is read once."""
        return plain_array(name, self.item(name))

    def of_kind(
        self, name: str, kinds: str, shape: tuple[int, ...] | None
    ) -> NDArray[Any]:
        """The array of that name, of one of NumPy's kinds and a shape."""
        array: NDArray[Any] = self.take(name)
        if array.dtype.kind not in kinds:
            raise TypeError(f"{name} must not be of dtype {array.dtype}")
        if shape is not None and array.shape != shape:
            raise ValueError(f"{name} must have shape {shape}; got {array.shape}")
        return array

    def real(self, name: str, size: int) -> NDArray[Any]:
        return self.of_kind(name, "f", (size,))

    def real_into(self, name: str, out: NDArray[Any]) -> None:
        """Write real numbers into an array (n,), converted to its dtype."""
        out[...] = self.real(name, out.size)

    def require(self, name: str, size: int) -> None:
        """Raise unless there are as many real numbers by that name; read nothing."""
        self.left[name] = self.real(name, size)

    def whole(self, name: str, size: int, most: int) -> NDArray[Any]:
        """Whole numbers from 0 to `most`."""
        array = self.of_kind(name, "i", (size,))
        if array.min() < 0 or array.max() > most:
            raise ValueError(
                f"{name} must be from 0 to {most}; got {array.min()} to {array.max()}"
            )
        return array

    def finish(self) -> None:
        if self.left:
            names = joined(sorted(map(str, self.left))[:5])
            raise ValueError(f"{self.what} must not have unknown entries; got {names}")


def plain_array(name: str, array: Any) -> NDArray[Any]:
    """The array itself, if it is one of NumPy's own class."""
    if type(array) is np.memmap:  # by joblib.load(mmap_mode="r")
        array = np.asarray(array)
    if type(array) is not np.ndarray:
        raise TypeError(f"{name} must be an array; got {type(array).__name__}")
    return array


def own_floats(
    name: str,
    array: Any,
    shape: tuple[int | None, ...],
    dtype: np.dtype[Any] | None = None,
) -> NDArray[Any]:
    """A copy of an array of float32 or float64, in C order.

    Lengths in `shape` that are None may be any; so may the dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.reader import own_floats
    >>> own_floats("x", np.zeros(3), (None,)), own_floats("x", np.zeros(3), (2,))
    Traceback (most recent call last):
        ...
    ValueError: x must have shape (2,); got (3,)
    """
    given = plain_array(name, array)
    native = given.dtype.newbyteorder("=")
    if native not in ((np.float32, np.float64) if dtype is None else (dtype,)):
        raise TypeError(
            f"{name} must be of dtype {dtype or 'float32 or float64'}; "
            f"got {given.dtype}"
        )
    pairs = zip(given.shape, shape, strict=False)
    fits = all(expected in (None, n) for n, expected in pairs)
    if given.ndim != len(shape) or not fits:
        raise ValueError(f"{name} must have shape {shape}; got {given.shape}")
    return np.array(given, native, order="C")


# --- parts of it as arrays ------------------------------------------------------------

_LOW_WORD = (1 << 64) - 1


def words_of(bits: np.random.PCG64) -> NDArray[np.uint64]:
    """The generator as 6 words: state and increment, high and low, and a spare half."""
    found: Any = bits.state
    state, inc = found["state"]["state"], found["state"]["inc"]
    rest = found["has_uint32"], found["uinteger"]
    words = state >> 64, state & _LOW_WORD, inc >> 64, inc & _LOW_WORD, *rest
    return np.array(words, np.uint64)


def generator_of(words: NDArray[Any]) -> np.random.PCG64:
    """The generator of these words, as `words_of` returns them."""
    state_high, state_low, inc_high, inc_low, has_uint32, uinteger = words.tolist()
    if inc_low % 2 == 0 or has_uint32 > 1 or uinteger >= 1 << 32:
        raise ValueError("bits must be the words of a PCG64")
    bits = np.random.PCG64(0)
    bits.state = {
        "bit_generator": "PCG64",
        "state": {
            "state": state_high << 64 | state_low,
            "inc": inc_high << 64 | inc_low,
        },
        "has_uint32": has_uint32,
        "uinteger": uinteger,
    }
    return bits


def plateau_of(numbers: NDArray[Any]) -> Plateau:
    """The plateau of four numbers: rate, best value, epochs waited, cooldown."""
    lr, best, wait, cooldown = numbers.astype(np.float64).tolist()
    counts = [wait, cooldown]
    if (
        not (0 <= lr < np.inf)
        or best != best
        or not all(
            0 <= count <= MOST_EPOCHS and count == int(count) for count in counts
        )
    ):
        raise ValueError(f"plateau must be a rate and counts; got {numbers.tolist()}")
    return Plateau(lr, best, int(wait), int(cooldown))
