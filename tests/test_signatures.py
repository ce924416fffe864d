"""The public interface: names, parameters and defaults are as they were released."""

import inspect
import re
from pathlib import Path

import bpcore as bp
import bpcore.datasets

RECORDED = Path(__file__).with_name("golden") / "signatures.txt"
MODULES = {
    "bpcore": bp,
    "bpcore.datasets": bpcore.datasets,
    "bpcore.graph": bp.graph,
    "bpcore.kernels": bp.kernels,
    "bpcore.metrics": bp.metrics,
    "bpcore.reference": bp.reference,
    "bpcore.schedules": bp.schedules,
}


def signature(function):
    """Its parameters, kinds and defaults; annotations may be written in other words."""
    try:
        found = inspect.signature(function)
    except (TypeError, ValueError):
        return "(...)"
    parameters = [p.replace(annotation=p.empty) for p in found.parameters.values()]
    text = str(found.replace(parameters=parameters, return_annotation=found.empty))
    return re.sub(r" at 0x[0-9a-f]+", "", text)


def lines():
    """Each public name with its signature, sorted."""
    for path, module in MODULES.items():
        names = getattr(module, "__all__", None) or dir(module)
        for name in sorted(names):
            if name[0] == "_" or inspect.ismodule(value := getattr(module, name)):
                continue
            if not callable(value):
                yield f"{path}.{name}"
                continue
            yield f"{path}.{name}{signature(value)}"
            if inspect.isclass(value):
                for method, member in sorted(inspect.getmembers(value)):
                    if method[0] == "_" or issubclass(value, BaseException):
                        continue
                    shown = signature(member) if callable(member) else ""
                    yield f"{path}.{name}.{method}{shown}"


def test_the_public_interface_is_as_recorded():
    """To record a change: python tests/test_signatures.py"""
    found = "\n".join(lines()).splitlines()
    recorded = RECORDED.read_text().splitlines()
    assert sorted(set(recorded) - set(found)) == []
    assert sorted(set(found) - set(recorded)) == []


if __name__ == "__main__":
    RECORDED.write_text("\n".join(lines()) + "\n")
