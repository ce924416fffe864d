"""Random changes of files, for as long as wanted: make fuzz [SECONDS=600].

python tests/fuzz.py SECONDS [SUFFIX ...]

With suffixes, as .onnx, only files of these are changed.  Each reader must load what it
gets, or raise ModelFileError; anything else is printed with the file that caused it,
and ends with status 1.  The tests have a short run.
"""

import sys
import tempfile
import time
import traceback
import warnings
from functools import partial
from pathlib import Path

import numpy as np

import bpcore as bp
from bpcore.tabular import Classifier, Regressor
from helpers.files import mutations

GOLDEN = Path(__file__).parent / "golden"

#: Readers by the suffixes of their files.
READERS = {
    ".bpc": bp.load,
    ".onnx": bp.load,
    ".net": bp.from_fann,
    ".h5": partial(bp.from_keras, activation="tanh"),
    ".keras": bp.from_keras,
    ".safetensors": partial(bp.from_torch, activation="relu"),
}


def main():
    """Change files, and read them."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    warnings.simplefilter("ignore")
    suffixes = sys.argv[2:] or [*READERS]
    with tempfile.TemporaryDirectory() as folder:
        files = [path for path in _examples(Path(folder)) if path.suffix in suffixes]
        print(f"{len(files)} files, {seconds:g} s")
        sys.exit(_run(files, Path(folder), seconds))


def _examples(folder):
    """Files of every kind: the golden ones, and some of native kinds."""
    for path in sorted(GOLDEN.rglob("*")):
        if path.suffix in READERS:
            yield path
    rows = [["a", 1.0], ["b", 2.0], ["c", float("nan")]] * 8
    for i, model in enumerate((Classifier, Regressor)):
        path = folder / f"{i}.bpc"
        settings = {"hidden_layer_sizes": (3,), "epochs": 1, "random_state": 0}
        model(**settings).fit(rows, [0, 1, 0] * 8).save(path)
        yield path


def _run(files, folder, seconds):
    """The status: 0, or 1 if a reader failed."""
    end, count, seed = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:
        seed += 1
        path = files[np.random.default_rng(seed).integers(len(files))]
        changed = folder / f"changed{path.suffix}"
        for data in mutations(path.read_bytes(), 100, seed):
            changed.write_bytes(data)
            count += 1
            try:
                READERS[path.suffix](changed)
            except bp.ModelFileError:
                continue
            except Exception:
                traceback.print_exc()
                kept = Path(f"fuzz-{seed}{path.suffix}")
                kept.write_bytes(data)
                print(f"{path.name}, changed: {kept}")
                return 1
    print(f"{count:,} changed files, no failure")
    return 0


if __name__ == "__main__":
    main()
