"""The measurements of ``bench/results``, for the page and the picture of them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import cpu, records

#: Files of a CPU that compare libraries: what was timed, as the page calls it.
TASKS = {
    "step": "training step, float32",
    "step_float64": "training step, float64",
    "predict": "prediction, float32",
    "fann": "training sample by sample, float32",
}


def all_records():
    """The records of every CPU: {name of its folder: {name of the file: record}}."""
    folders = sorted(path.parent for path in cpu.RESULTS.glob("*/step.json"))
    return {
        folder.name: {
            path.stem: records.read(path) for path in sorted(folder.glob("*.json"))
        }
        for folder in folders
    }


def title_of(folder, files):
    """The CPU of a folder, as "AMD EPYC (Zen 3, AVX2)"."""
    name = cpu.title(folder, files["step"]["processor"])
    return name.replace("(R)", "").replace(" Processor", "")


def case(result):
    """A network and its rows, as "784-128-10, 32"."""
    return f"{result['net']}, {result['batch']}"


def sentence(text):
    """The text with a capital letter at its begin."""
    return text[0].upper() + text[1:]
