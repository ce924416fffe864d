"""Changed files, chosen by the lines of the readers that they reach.

A changed file that reaches a pair of lines which no file has reached before is kept,
and changed further: so the changes come to the places behind many checks.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import bpcore as bp

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
#: The code whose lines count.
PACKAGE = str(Path(bp.__file__).parent)
READERS = {".bpc": bp.load, ".onnx": bp.load, ".net": bp.from_fann}


def examples(suffix, most=1 << 15):
    """The contents of the golden files of a suffix, small ones only."""
    paths = sorted(GOLDEN.rglob(f"*{suffix}"))
    found = [path.read_bytes() for path in paths if path.stat().st_size <= most]
    return found or [_written(suffix)]


def _written(suffix):
    """A new file, where no golden one is small."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"net{suffix}")
        net = bp.Network([3, 4, 2], rng=0)
        net.to_onnx(path) if suffix == ".onnx" else net.save(path)
        return path.read_bytes()


def changed(data, others, rng):
    """A copy with some bytes changed, moved, cut, or taken from another file."""
    copy = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(copy) + 1))
        kind = rng.integers(7)
        if kind == 0 and copy:
            copy[at % len(copy)] ^= 1 << int(rng.integers(8))
        elif kind == 1 and copy:
            copy[at % len(copy)] = int(rng.integers(256))
        elif kind == 2:
            copy[at : at + int(rng.integers(9))] = rng.bytes(int(rng.integers(9)))
        elif kind == 3:
            del copy[at:]
        elif kind == 4:
            other = others[int(rng.integers(len(others)))]
            start = int(rng.integers(len(other) + 1))
            copy[at:at] = other[start : start + int(rng.integers(64))]
        elif kind == 5:
            size = int(rng.choice([1, 2, 4, 8]))
            extreme = [0, 1, 1 << 31, 1 << 40, 1 << 63, -1]
            value = extreme[int(rng.integers(len(extreme)))] % (1 << 8 * size)
            copy[at : at + size] = value.to_bytes(size, "little")
        else:
            digits = [i for i, byte in enumerate(copy[:4000]) if 48 <= byte < 58]
            if digits:
                place = digits[int(rng.integers(len(digits)))]
                numbers = [b"0", b"-1", b"99999999999999999999", b"1e999", b"null"]
                copy[place : place + 1] = numbers[int(rng.integers(len(numbers)))]
    return bytes(copy)


class Search:
    """Files of one suffix that together reach many lines of its reader."""

    def __init__(self, suffix, seed=0):
        self.suffix, self.reader = suffix, READERS[suffix]
        self.rng = np.random.default_rng(seed)
        self.reached: set = set()
        self.kept = examples(suffix)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name, f"changed{suffix}")
        for data in self.kept:
            self.read(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def step(self):
        """Read one more changed file; returns the error if it is not a right one."""
        # The newest files are changed as often as all others together.
        newest = self.rng.random() < 0.5
        at = len(self.kept) - 1 - int(self.rng.integers(min(8, len(self.kept))))
        if not newest:
            at = int(self.rng.integers(len(self.kept)))
        data = changed(self.kept[at], self.kept, self.rng)
        before = len(self.reached)
        error = self.read(data)
        if len(self.reached) > before and len(data) < 1 << 16:
            self.kept.append(data)
        return None if error is None else (error, data)

    def read(self, data):
        """Read a file, noting the pairs of lines; None, or an error that is wrong."""
        self.path.write_bytes(data)
        last = {}

        def trace(frame, event, _):
            name = frame.f_code.co_filename
            if not name.startswith(PACKAGE):
                return None
            here = (name, frame.f_lineno)
            self.reached.add((last.get(name), frame.f_lineno, name))
            last[name] = here[1]
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            self.reader(self.path)
        except bp.ModelFileError:
            return None
        except Exception as error:
            return error
        finally:
            sys.settrace(before)
        return None
