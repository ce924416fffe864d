"""Block sizes of matrix products, from the data caches of the CPU.

The loop nest (``csrc/nest.h``) copies a block of A, mc rows of kc terms, and a block of
B, kc terms of nc columns; a panel of B is one tile wide. The sizes follow the
analytical model of Low, Igual, Smith and Quintana-Orti, "Analytical modeling is enough
for high-performance BLIS", ACM Transactions on Mathematical Software 43 (2016):
whatever is read again stays in a cache, counted in ways, since a contiguous block of as
many bytes as a way has one line in each set.

- First level: a panel of B (kc terms) that is multiplied by mc rows of A, the rows of A
  of one tile, and one way for C.
- Second level: the block of B, the next block of B, which is prefetched meanwhile, the
  block of A, and one way for C.

No bit of any result depends on the sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bpcore.quoting import quoted

KIB = 1024
#: Terms of a chain of sums (BPCORE_CHAIN): kc is a multiple.
CHAIN = 256
#: Longest block of terms, however large the first-level cache is: beyond it C is read
#: so rarely that little is gained.
MOST_TERMS = 2 * CHAIN
#: More of a second-level cache is not used: larger ones are shared by several cores,
#: and the scratch memory of a network grows with it.
MOST_L2 = 2048 * KIB
#: No size is as large, or has more digits: products of two sizes fit into 64 bits.
MOST, DIGITS = 1 << 24, 9


class Caches(NamedTuple):
    """Sizes in bytes, and ways, of a core's data caches of the first two levels."""

    l1: int
    l1_ways: int
    l2: int
    l2_ways: int


#: Caches of a CPU that does not report them: as small as in any CPU with vectors of 32
#: bytes since 2017, so that no block is too large.
FALLBACK = Caches(32 * KIB, 8, 256 * KIB, 4)


class Blocks(NamedTuple):
    """Block sizes of one instruction set and dtype, and the caches they are for.

    l1 and l2 in bytes; kc in terms, mc in rows of A, nc in columns of B.
    """

    l1: int
    l2: int
    kc: int
    mc: int
    nc: int


def blocks_for(
    caches: Caches, tile_rows: int, tile_columns: int, itemsize: int
) -> Blocks:
    """Block sizes by the model above.

    Parameters
    ----------
    caches
        Caches of a core.
    tile_rows, tile_columns
        Size of the register tile.
    itemsize
        Bytes of an element.

    Returns
    -------
    Blocks
        kc is a multiple of `CHAIN`, mc of tile_rows and nc of tile_columns.

    Examples
    --------
    A Zen 3, with tiles of 6 rows by 16 float32 columns:

    >>> from bpcore.engine.blocking import Caches, blocks_for
    >>> blocks_for(Caches(32 * 1024, 8, 512 * 1024, 8), 6, 16, 4)
    Blocks(l1=32768, l2=524288, kc=256, mc=192, nc=128)
    """
    way = caches.l1 // caches.l1_ways

    def ways(terms: int, width: int) -> int:
        return -(-terms * width * itemsize // way)

    kc = CHAIN
    for terms in range(2 * CHAIN, MOST_TERMS + 1, CHAIN):
        if ways(terms, tile_columns) + ways(terms, tile_rows) + 1 <= caches.l1_ways:
            kc = terms
    l2 = min(caches.l2, MOST_L2)
    way = l2 // caches.l2_ways
    ways_of_B = max((caches.l2_ways - 1) // 3, 1)
    ways_of_A = max(caches.l2_ways - 1 - 2 * ways_of_B, 1)
    column = kc * itemsize
    return Blocks(
        l1=caches.l1,
        l2=l2,
        kc=kc,
        mc=whole_tiles(ways_of_A * way // column, tile_rows),
        nc=whole_tiles(ways_of_B * way // column, tile_columns),
    )


def whole_tiles(size: int, tile: int) -> int:
    """`size` rounded down to a multiple of `tile`, but at least one."""
    return max(size // tile, 1) * tile


def caches_of_cpu(
    reported: Callable[[int], tuple[int, int]],
    folder: Path = Path("/sys/devices/system/cpu/cpu0/cache"),
) -> Caches:
    """The caches of this CPU; where they are not reported, those of `FALLBACK`.

    Parameters
    ----------
    reported
        (bytes, ways) of the cache of a level, 0 for what is not known:
        `bpcore.engine.engine.data_cache`.
    folder
        Where Linux lists caches, for CPUs that do not report theirs to programs.

    Returns
    -------
    Caches
        If only the ways are unknown: 8.

    Examples
    --------
    >>> from bpcore.engine.blocking import caches_of_cpu
    >>> caches_of_cpu(lambda level: (level * 65536, 4))
    Caches(l1=65536, l1_ways=4, l2=131072, l2_ways=4)
    """
    found: list[int] = []
    for level, fallback in ((1, FALLBACK[:2]), (2, FALLBACK[2:])):
        size, ways = reported(level)
        if size < 4 * KIB:
            size, ways = _listed(folder, level)
        if size < 4 * KIB:
            size, ways = fallback
        if not 2 <= ways <= 64:
            ways = 8
        found += [size, ways]
    return Caches(*found)


def _listed(folder: Path, level: int) -> tuple[int, int]:
    """(bytes, ways) of the data cache of a level in Linux' list, or zeros."""
    for entry in sorted(folder.glob("index*")):
        try:
            size, ways, found, kind = (
                (entry / name).read_text().strip()
                for name in ("size", "ways_of_associativity", "level", "type")
            )
            if int(found) == level and kind in ("Data", "Unified"):
                units = {"K": KIB, "M": KIB * KIB}
                return int(size[:-1]) * units[size[-1]], int(ways)
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return 0, 0


def overridden(blocks: Blocks, text: str, tile_rows: int, tile_columns: int) -> Blocks:
    """`blocks` with the sizes written in `text`, for trials.

    Parameters
    ----------
    blocks
        Block sizes of the model.
    text
        The environment variable ``BPCORE_BLOCKS``, as in ``"kc=512,mc=96"``; names are
        the fields of `Blocks`. mc and nc are rounded down to whole tiles.
    tile_rows, tile_columns
        Size of the register tile.

    Returns
    -------
    Blocks

    Raises
    ------
    ImportError
        If a name is unknown or a size is not a positive integer, or kc not a multiple
        of `CHAIN`.

    Examples
    --------
    >>> from bpcore.engine.blocking import Blocks, overridden
    >>> overridden(Blocks(32768, 524288, 256, 192, 128), "mc=100", 6, 16).mc
    96
    """
    sizes = blocks._asdict()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in sizes:
            raise ImportError(
                f"BPCORE_BLOCKS must set some of {', '.join(sizes)}, as in "
                f"'kc=512,mc=96'; got {quoted(part)}"
            )
        short = number.isdecimal() and len(number) <= DIGITS
        if not short or not 0 < int(number) < MOST:
            raise ImportError(
                f"BPCORE_BLOCKS: {name} must be an integer from 1 to {MOST - 1}; got "
                f"{quoted(number)}"
            )
        sizes[name] = int(number)
    if sizes["kc"] % CHAIN:
        raise ImportError(
            f"BPCORE_BLOCKS: kc must be a multiple of {CHAIN}; got {sizes['kc']}"
        )
    sizes["mc"] = whole_tiles(sizes["mc"], tile_rows)
    sizes["nc"] = whole_tiles(sizes["nc"], tile_columns)
    return Blocks(**sizes)
