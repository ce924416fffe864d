"""Text that is written to standard error at once, or not at all."""

from __future__ import annotations

import os
from typing import Any


class Unbuffered:
    """A text stream without its buffer.

    Python keeps text that it could not write, tries again when the program ends, and
    then exits with status 120.  Here it is dropped.

    Parameters
    ----------
    stream
        A text stream, such as ``sys.stderr``.
    raw
        The file below its buffer.
    """

    def __init__(self, stream: Any, raw: Any) -> None:
        self._stream = stream
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text; raises what writing raises."""
        self._stream.flush()
        lines = text.replace("\n", os.linesep)
        left = memoryview(lines.encode(self._stream.encoding, self._stream.errors))
        while left:
            written = self._raw.write(left)
            if written is None:
                raise BlockingIOError("a write to standard error would block")
            left = left[written:]
        return len(text)


def unbuffered(stream: Any) -> Any:
    """The stream without its buffer, or the stream itself if it has none.

    Examples
    --------
    >>> import io
    >>> from bpcore.training.unbuffered import unbuffered
    >>> stream = io.StringIO()
    >>> unbuffered(stream) is stream
    True
    """
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return stream if raw is None else Unbuffered(stream, raw)
