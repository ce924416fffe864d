"""A probe of the front end: how much of its core this process has to itself.

A virtual machine shares cores with neighbours that it cannot see. Two threads of one
core share the decoder and the load ports, while a loop of multiply-adds in registers,
the *peak*, needs few instructions and hardly notices. So beside the peak are timed:

- a loop of nops, in instructions per tick of the time stamp counter: on Zen 3, which
  is 6 wide, about 7 when quiet and 2.5 to 3.5 when shared;
- a hot tile, one call of the forward kernel whose arrays all stay in the first-level
  cache, as a share of the peak: what any kernel could reach at that moment.

Both are timed in the rounds of the contenders, and describe the same moments.
"""

import ctypes
import subprocess
import tempfile
from functools import cache, partial
from pathlib import Path
from time import perf_counter

import numpy as np

import bpcore

from .timing import Spread

_SOURCE = Path(__file__).with_name("nops.c")

_LOOPS = 2000

#: Seconds in which the ticks of the time stamp counter are counted.
_CALIBRATION = 0.02

#: Bytes of the arrays of the hot tile: most of 32 KiB, the smallest first-level cache.
_HOT = 28 * 1024
_TERMS = 128


class FrontEnd:
    """The probe: actions for the rounds, and what their times say.

    Parameters
    ----------
    dtype : str
        Of the hot tile, with the build that is in use now.
    """

    def __init__(self, dtype):
        layer, self._multiply_adds = _hot_tile(dtype)
        no_layer, _ = _hot_tile(dtype, rows=1, terms=1)
        self.actions = {"hot tile": layer, "a call": no_layer}
        self._nops = nop_library()
        if self._nops is not None:
            self.actions["nops"] = partial(self._nops.nops, _LOOPS)

    def describe(self, samples, peak):
        """The figures for the record.

        Parameters
        ----------
        samples : dict of str to ndarray
            Those of the actions, among others.
        peak : ndarray
            Multiply-adds per second in registers, in every round.

        Returns
        -------
        dict
            Spreads of nops per tick and per nanosecond, and of the hot tile's share of
            the peak, without its call; None where one cannot be measured.
        """
        # The share of the call itself is that of the best times: a difference of two
        # times within a round would be mostly noise.
        call = samples["a call"].min() / samples["hot tile"].min()
        hot = None
        if call < 1:
            rate = self._multiply_adds / (samples["hot tile"] * (1 - call))
            hot = Spread.of(rate / peak)
        per_second = per_tick = None
        if self._nops is not None:
            per_second = self._nops.nops(_LOOPS) / samples["nops"]
            if rate := _ticks_per_second():
                per_tick = Spread.of(per_second / rate)
            per_second = Spread.of(per_second / 1e9)
        return {
            "nops_per_tick": per_tick,
            "nops_per_nanosecond": per_second,
            "hot_tile": hot,
        }


def _hot_tile(dtype, rows=None, terms=_TERMS):
    """A call of the forward kernel on few arrays, and its multiply-adds."""
    built = bpcore.config()
    columns = built["tile_columns"][dtype]
    if rows is None:
        room = _HOT // np.dtype(dtype).itemsize - terms * columns
        tiles = room // (built["tile_rows"] * (terms + columns))
        rows = built["tile_rows"] * max(tiles, 1)
    a, W = np.ones((rows, terms), dtype), np.ones((terms, columns), dtype)
    b, out = np.ones(columns, dtype), np.empty((rows, columns), dtype)
    call = partial(bpcore.kernels.forward, a, W, b, out, "relu")
    return call, rows * terms * columns


@cache
def nop_library():
    """The compiled loop of nops; None, and a message, without a C compiler."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "nops.so"
        command = ["cc", "-O2", "-shared", "-fPIC", str(_SOURCE), "-o", str(program)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (FileNotFoundError, subprocess.CalledProcessError):
            print("no C compiler (cc) that works: the front end is not probed by nops")
            return None
        library = ctypes.CDLL(str(program))
    for function in (library.nops, library.ticks):
        function.restype = ctypes.c_longlong
    library.nops.argtypes = (ctypes.c_longlong,)
    return library


@cache
def _ticks_per_second():
    """Rate of the time stamp counter; 0 where there is none."""
    ticks = nop_library().ticks
    start, first = perf_counter(), ticks()
    while perf_counter() < start + _CALIBRATION:
        pass
    return (ticks() - first) / (perf_counter() - start)
