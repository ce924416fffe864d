"""The recorded bits of every case: compared, recorded again, differences explained.

    python -m trust.golden                        compare; explain what differs
    python -m trust.golden --write                the same, then record what was found
    python -m trust.golden --digests              print what was found, as JSON
    python -m trust.golden --explain CASE         compare two runs of a case here:
        --isa A --isa B                               by two builds of the kernels
        --threads N --threads M                       by two numbers of threads
        --against FILE                                or one with the run of a file
    python -m trust.golden --values CASE FILE     write that file, on another machine

An explanation names the first step after which a number differs, the layer, how many
numbers, and by how many units in the last place (ulp).  The record is
``tests/golden/bits.json``: a line for each case with its settings, digests of what the
fit leaves, and after each step four digits for each layer.
"""

import argparse
import difflib
import json
import platform
import sys
from pathlib import Path

import numpy as np

import bpcore as bp
from trust.fits.cases import table
from trust.fits.outcome import fitted, step_digests, trajectory

PATH = Path(__file__).parents[1] / "tests" / "golden" / "bits.json"
#: Steps of which the record has digests; the last one is that after the fit.
STEPS = 8
#: Most cases that are explained.
SHOWN = 40


# --- the record -----------------------------------------------------------------------


def read():
    """The record: for each case its line, by name."""
    return {line["case"]: line for line in json.loads(PATH.read_text())}


def line_of(case):
    """A case as it is found here, as a line of the record."""
    steps = step_digests(trajectory(case))
    steps = [*steps[: STEPS - 1], steps[-1]]
    return {"case": case.name, "of": str(case), **fitted(case), "steps": steps}


def write(lines):
    """Write the record."""
    texts = [json.dumps(line) for line in lines]
    PATH.write_text("[\n" + ",\n".join(texts) + "\n]\n")


def recorded_cases():
    """The cases whose bits are the same on every machine."""
    return [case for case in table().values() if case.recorded]


def machine():
    """The processor, and the build that is in use."""
    return f"{platform.machine()}, {bp.kernels.in_use()}"


def difference(recorded, found):
    """How the line of a case differs from the record, in words; None if it does not."""
    if recorded is None:
        return "is not in the record"
    if recorded["of"] != found["of"]:
        return f"is another case: {found['of']}; recorded: {recorded['of']}"
    pairs = zip(recorded["steps"], found["steps"], strict=True)
    for step, (then, now) in enumerate(pairs, 1):
        differ = [
            l for l in range(len(now) // 4) if then[4 * l :][:4] != now[4 * l :][:4]
        ]
        if differ:
            last = step == len(found["steps"])
            after = "the fit" if last else f"mini-batch {step}"
            names = ", ".join(str(l) for l in differ)
            return f"differs first after {after}, in layers {names}"
    names = [name for name in found if recorded[name] != found[name]]
    return f"differs in {', '.join(names)}, in no recorded step" if names else None


# --- two runs of a case ---------------------------------------------------------------


def explanation(ours, theirs):
    """Lines of text: the first difference of two trajectories, in ulp."""
    if len(ours) != len(theirs):
        return [f"{len(ours) - 1} mini-batches and {len(theirs) - 1}"]
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        differ = [at for at in a if a[at].tobytes() != b[at].tobytes()]
        if differ:
            last = step == len(ours)
            after = "the fit" if last else f"mini-batch {step} of {len(ours) - 1}"
            lines = [_in_ulp(at, a[at], b[at]) for at in differ]
            return [f"first difference after {after}:", *lines]
    return ["no difference"]


def _in_ulp(at, a, b):
    """One line: how many elements of an array differ, and by how many ulp."""
    layer, name = at
    ulp = distance(a, b)
    where = np.unravel_index(ulp.argmax(), ulp.shape)
    index = ", ".join(str(i) for i in where)
    count = f"{np.count_nonzero(ulp):,} of {ulp.size:,}"
    return (
        f"    layer {layer}, {name}: {count}, at most {ulp.max():,} ulp, at [{index}]: "
        f"{float(a[where])!r} and {float(b[where])!r}"
    )


def distance(a, b):
    """Units in the last place between two arrays, as whole numbers.

    0.0 and -0.0 are one unit apart, as are two different NaN at least.
    """
    whole = f"i{a.itemsize}"
    i, j = (_ordered(np.ascontiguousarray(x).view(whole)) for x in (a, b))
    return np.abs(i.astype(object) - j.astype(object)).astype(np.float64).astype(int)


def _ordered(bits):
    """Integers in the order of the numbers that have these bits."""
    least = np.iinfo(bits.dtype).min
    return np.where(bits < 0, least - bits - 1, bits)


# --- the command ----------------------------------------------------------------------


def main():
    """Run the command line; exit status 1 if something differs."""
    given = _parser().parse_args()
    if given.explain:
        sys.exit(_explain(_case(given.explain), given))
    if given.values:
        name, path = given.values
        _write_values(path, trajectory(_case(name)))
        return
    if given.digests:
        found = {case.name: fitted(case) for case in recorded_cases()}
        print(json.dumps([machine(), found]))
        return
    old = read() if PATH.is_file() else {}
    lines = [line_of(case) for case in recorded_cases()]
    found = {line["case"]: difference(old.get(line["case"]), line) for line in lines}
    differ = {name: text for name, text in found.items() if text}
    for name, text in [*differ.items()][:SHOWN]:
        print(f"{name} {text}")
    gone = sorted({*old} - {*found})
    print(f"{len(lines)} cases, {len(differ)} differ, {len(gone)} only in the record")
    if given.write:
        write(lines)
    sys.exit(bool(differ or gone) and not given.write)


def _case(name):
    """The case of this name; ends the program if there is none."""
    cases = table()
    if name not in cases:
        near = ", ".join(difflib.get_close_matches(name, cases, 3, cutoff=0))
        raise SystemExit(f"no case is named {name!r}; of {len(cases)}, nearest: {near}")
    return cases[name]


def _explain(case, given):
    """Print how two runs differ; returns whether they do."""
    builds, threads = given.isa or [None], given.threads or [1]
    runs = [trajectory(case, isa, n) for isa in builds for n in threads]
    if given.against:
        runs.append(_read_values(given.against))
    if len(runs) != 2:
        raise SystemExit("give --isa or --threads twice, or --against once")
    lines = explanation(*runs)
    print(f"{case.name}: {case}", *lines, sep="\n")
    return lines != ["no difference"]


def _write_values(path, steps):
    """Write a trajectory into an NPZ file."""
    flat = {
        f"{i}/{layer}/{name}": array
        for i, arrays in enumerate(steps)
        for (layer, name), array in arrays.items()
    }
    np.savez_compressed(path, **flat)


def _read_values(path):
    """The trajectory in a file."""
    steps = {}
    with np.load(path) as file:
        for key in file.files:
            i, layer, name = key.split("/")
            steps.setdefault(int(i), {})[int(layer), name] = file[key]
    return [steps[i] for i in sorted(steps)]


def _parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="record what is found")
    parser.add_argument("--digests", action="store_true", help="print digests, as JSON")
    parser.add_argument("--explain", metavar="CASE")
    parser.add_argument("--isa", action="append", help="a build, for --explain")
    parser.add_argument("--threads", action="append", type=int, metavar="N")
    parser.add_argument("--against", metavar="FILE", help="values of the other run")
    parser.add_argument("--values", nargs=2, metavar=("CASE", "FILE"))
    return parser


if __name__ == "__main__":
    main()
