"""Inputs: every form of data gives a right result or the documented error.

    python -m trust.inputs

Each argument of data of each public call (`trust.calls`) gets each form (`trust.forms`)
and each wrong shape. A trial passes if the result and the state of the network have the
bits that the plain array gives; or if it raises ValueError or TypeError naming the
argument, and the state is that before the call. No trial may warn, or change an input
or the memory that it is a view of.
"""

import dataclasses
import re
import tempfile
import warnings

import numpy as np

import bpcore as bp
from trust import campaign
from trust.calls.table import groups
from trust.forms.arrays import EITHER, MEMORY, REFUSED, TAKEN, Form
from trust.forms.table import FOR_TABLES, forms, shapes

DOCUMENTED = (ValueError, TypeError)
#: The time of all trials, about.
SECONDS = 600.0
#: Forms with operators of their own.
FOREIGN = ("pandas", "polars", "arrow", "scipy", "matrix", "subclass, refusing")
#: Forms that are right memory to a kernel.
AS_MEMORY = ("masked", "masked, nothing masked", "structured, one field", "bytes")
#: Dates and times, which may be classes.
TIMES = ("dates", "timedeltas", "pandas, dates", "pandas, timedeltas")
#: Forms for which scikit-learn's checks give what this library's do.
CHECKED_BY_THEM = (
    *("masked", "list of masked", "masked in lists"),
    *("Fortran order", "every other", "backwards", "misaligned", "field of records"),
    *("read-only", "memory-mapped", "repeated", "list", "__array__", "subclass"),
    *("NaN", "infinite", "above float32", "largest float64", "dtype f4", "pandas"),
    *TIMES,
)


def facts(found):
    """A result, or the state of an object, as values that can be compared."""
    if isinstance(found, np.ndarray):
        return found.dtype.str, found.shape, found.tobytes()
    if isinstance(found, dict):
        return {name: facts(v) for name, v in found.items() if name != "seconds"}
    if isinstance(found, list | tuple):
        return [facts(value) for value in found]
    if hasattr(found, "learner"):
        return facts(found.learner.state.arrays())
    if hasattr(found, "to_dict"):
        return facts(found.to_dict())
    if dataclasses.is_dataclass(found):
        fields = dataclasses.fields(found)
        return [facts(getattr(found, field.name)) for field in fields]
    if isinstance(found, float | np.floating):
        return float(found).hex()
    if hasattr(found, "get_params"):
        kinds = (np.ndarray, list, int, float, bp.Network)
        fitted = vars(found).items()
        return {name: facts(v) for name, v in fitted if isinstance(v, kinds)}
    return found


def memory(value):
    """The bytes of an array, of its mask and of what it is a view of; else a text."""
    if isinstance(value, np.ndarray):
        mask = value.mask.tobytes() if isinstance(value, np.ma.MaskedArray) else None
        base = value
        while isinstance(getattr(base, "base", None), np.ndarray):
            base = base.base
        if base.dtype.kind == "T":
            return base.tolist()
        if base.dtype.hasobject:
            return list(map(id, np.ndarray.ravel(base.view(np.ndarray))))
        return base.view(np.ndarray).tobytes(), mask
    if hasattr(value, "to_numpy") and not hasattr(value, "null_count"):
        return repr(value.to_numpy().tolist())
    return repr(value) if isinstance(value, list | tuple | dict | set) else None


def outcome(call, value):
    """The result and the state after a call, the error, and what is wrong of itself."""
    subject = call.make()
    before, was = facts(subject), memory(value)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result, error = facts(call.run(subject, value)), None
        except Exception as raised:
            result, error = None, raised
    wrong = []
    if warned and not call.theirs:
        wrong.append(f"warned: {warned[0].category.__name__}: {warned[0].message}")
    if memory(value) != was and not call.written:
        wrong.append("the input was changed")
    after = facts(subject)
    if error is not None and not isinstance(error, bp.DivergenceError):
        if after != before:
            wrong.append(f"the state was changed, and then {error!r}")
        wrong += undocumented(call, error)
    return result, after, error, wrong


def undocumented(call, error):
    """What is wrong with an error: its class, or a message that names no argument."""
    if type(error) not in DOCUMENTED + (BufferError,) * call.in_place:
        yield f"raised {error!r}"
    said = call.argument if call.said is None else call.said
    if not re.search(said, str(error)):
        yield f"the message does not name {said}: {error}"


def fault(call, form):
    """What is wrong with a call for a form; None if nothing is."""
    plain = None if form.plain is None else np.array(form.plain)
    result, after, error, wrong = outcome(call, form.value)
    if wrong:
        return "; ".join(wrong)
    if form.must == REFUSED:
        return "was not refused" if error is None else None
    dtype = np.int64 if call.plain.dtype.kind == "i" else np.float64
    if plain.dtype != dtype and plain.dtype.kind != "f":
        plain = plain.astype(dtype)
    expected, state, refused, _ = outcome(call, plain)
    if error is not None:
        if form.must == TAKEN and refused is None:
            return f"was refused: {error}"
        return None
    if refused is not None:
        return f"was taken, but the plain array raises {refused!r}"
    if (result, after) != (expected, state):
        return "has another result than the plain array"
    return None


def skips(call, name):
    """Whether a form is another thing to a call, or an affair of another library."""
    foreign = name.startswith(FOREIGN)
    return (
        (call.plain.ndim != 2 and any(part in name for part in FOR_TABLES))
        or (name == "None" and call.optional)
        # An index of pandas has the labels.
        or (call.argument == "class_weight" and name.startswith("pandas,"))
        # The operator of what stands on the left is called.
        or (call.argument == "left operand" and foreign)
        # The kernels use memory as it is.
        or (call.in_place and (name in AS_MEMORY or name.startswith("shape")))
        or (call.arrays_only and name not in ("masked", *MEMORY))
        # scikit-learn takes text for numbers.
        or (call.theirs and name not in CHECKED_BY_THEM)
        or ("Classifier" in str(call) and "(y" in str(call) and name in TIMES)
    )


def trials(call, made):
    """(name, form) of each form and each wrong shape."""
    for name, make in made.items():
        if skips(call, name):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                form = make(call.plain.copy())
            except (TypeError, ValueError, IndexError, NotImplementedError):
                continue  # there is no such form of this array
        if form.must == TAKEN and (call.plain.ndim == 0 or call.in_place):
            form = dataclasses.replace(form, must=EITHER)  # many forms need an axis
        yield name, form
    for name, array in shapes(call.plain).items():
        if call.shaped and not call.arrays_only and not skips(call, f"shape: {name}"):
            yield f"shape: {name}", Form(array, None, REFUSED)


def large_prediction(rows=2**28 + 1, width=8):
    """Predictions of more than 2^31 inputs, from a file with holes."""
    found = campaign.Count(f"predict of {rows * width:,} inputs")
    with tempfile.TemporaryFile() as file:
        file.truncate(rows * width * 4)
        X = np.memmap(file, np.float32, "r+", shape=(rows, width))
        some = np.array([0, rows // 2, rows - 2, rows - 1])
        X[some] = np.random.default_rng(0).normal(size=(4, width))
        net = bp.Network([width, 1], activation="identity", rng=0)
        net.biases[0][...] = 3
        outputs = net.predict(X)
        right = net.predict(np.array(X[some]))
        others = outputs.sum(dtype=np.float64) - right.sum(dtype=np.float64)
        wrong = (outputs[some] != right).any() or others != 3 * (rows - 4)
        found.add("outputs differ" if wrong else None)
        X[-1, -1] = np.nan
        try:
            net.predict(X)
            found.add("a NaN in the last place was not found")
        except ValueError as error:
            found.add(None if f"[{rows - 1}, {width - 1}]" in str(error) else error)
    return found


def run(seconds):
    """Yields a count for each kind of call, and for more elements than 32 bits count.

    In less than SECONDS every second, third, ... trial of each call is made.
    """
    made, step = forms(), max(1, round(SECONDS / seconds))
    for kind, several in groups().items():
        count = campaign.Count(f"{kind}: {len(several)} arguments")
        for number, call in enumerate(several):
            for name, form in list(trials(call, made))[number % step :: step]:
                found = fault(call, form)
                count.add(None if found is None else f"{call}: {name}: {found}")
        yield count
    yield large_prediction()


if __name__ == "__main__":
    campaign.main("Every form of data: a right result or an error.", run, SECONDS)
