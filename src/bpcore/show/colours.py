"""Colours of numbers, the same in every picture and page.

Red is above 0, blue is below 0, white is 0, and the stronger the colour the larger the
number.  Numbers that cannot be below 0 have the red half of the colours, on their own
range.  Everything that is not a number, as edges of boxes and text, is grey.
"""

from __future__ import annotations

import re

#: Matplotlib's map for numbers of both signs: vmin must be -vmax.
SIGNED = "RdBu_r"

#: Its colours at -1, 0 and 1, and for -1/2 and 1/2 paler ones on which black text is
#: read, for pages and drawings.
STOPS = ((5, 48, 97), (146, 197, 222), (247, 247, 247), (244, 165, 130), (103, 0, 31))


def colour_of(share: float) -> str:
    """The colour of a number as ``#rrggbb``; `share` is number / largest, -1 to 1.

    Examples
    --------
    >>> from bpcore.show.colours import colour_of
    >>> colour_of(-1.0), colour_of(0.0), colour_of(0.5)
    ('#053061', '#f7f7f7', '#f4a582')
    """
    at = 2 * (min(max(share, -1.0), 1.0) + 1)
    low = min(int(at), 3)
    mixed = (
        round(a + (at - low) * (b - a))
        for a, b in zip(STOPS[low], STOPS[low + 1], strict=True)
    )
    return "#" + "".join(f"{part:02x}" for part in mixed)


def text_colour_on(colour: str) -> str:
    """Black or white, whichever is read better on a colour ``#rrggbb``.

    Examples
    --------
    >>> from bpcore.show.colours import text_colour_on
    >>> text_colour_on("#f7f7f7"), text_colour_on("#053061")
    ('#000000', '#ffffff')
    """
    red, green, blue = (int(part, 16) / 255 for part in re.findall("..", colour[1:]))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "#000000" if luminance > 0.18 else "#ffffff"
