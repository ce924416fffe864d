"""Standard error without its buffer."""

from __future__ import annotations

import io
from typing import Any


class Unbuffered(io.TextIOWrapper):
    """The file of a text stream, written at once.

    A stream keeps text that it could not write: Python tries again when the program
    ends, and exits with status 120.  Here that text is dropped.

    Parameters
    ----------
    stream
        A text stream with a buffer and a file. This object is equal to it, since tqdm
        compares the streams of bars with standard error.
    """

    def __init__(self, stream: io.TextIOWrapper) -> None:
        stream.flush()  # so that the encoder does not begin a file
        file = io.FileIO(stream.fileno(), "w", closefd=False)
        super().__init__(
            file,
            encoding=stream.encoding,
            errors=stream.errors,
            write_through=True,
        )
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text, after what the stream still holds."""
        self._stream.flush()
        return super().write(text)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self._stream

    def __hash__(self) -> int:
        return hash(self._stream)


def unbuffered(stream: Any) -> Any:
    """The stream without its buffer.

    Returns the stream itself unless it is one of Python's own with a buffer and a file:
    an object of another class may do more than write into a file.

    Examples
    --------
    >>> import io
    >>> from bpcore.training.unbuffered import unbuffered
    >>> stream = io.StringIO()
    >>> unbuffered(stream) is stream
    True
    """
    buffer = stream.buffer if type(stream) is io.TextIOWrapper else None
    raw = buffer.raw if type(buffer) is io.BufferedWriter else None
    return Unbuffered(stream) if type(raw) is io.FileIO else stream
