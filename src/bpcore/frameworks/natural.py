"""Names in the order of the numbers in them."""

from __future__ import annotations

import re


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key for sorting: dense_2 before dense_10.

    Examples
    --------
    >>> from bpcore.frameworks.natural import natural
    >>> sorted(["fc10", "fc2"], key=natural)
    ['fc2', 'fc10']
    """
    return [
        (part.isdecimal(), int(part) if part.isdecimal() else 0, part)
        for part in re.split(r"(\d{1,18})", name)
    ]
