"""Objects whose Python code runs inside a call, and changes what the call works on.

    python -m trust.safety.hooks

Each case hands the library an object that lies about its memory, or whose methods
resize an array or change the network in the middle of a call.  It must end in a right
result or in an error; a process that dies, or memory that is damaged, is the failure.
`trust.memory_safety` runs the cases in a process whose allocator checks itself.
"""

from trust.safety.engine_arguments import engine_cases
from trust.safety.kernel_hooks import kernel_cases
from trust.safety.liars import optimizer_cases, output_cases, tape_cases
from trust.safety.meddlers import (
    callback_cases,
    number_cases,
    object_cases,
    state_cases,
)
from trust.safety.subject import network, trained

#: Errors that a call may end in.
ERRORS = (ValueError, TypeError, RuntimeError, AttributeError)


def cases():
    """All cases: a name, and a function without arguments."""
    for group in (
        optimizer_cases, tape_cases, output_cases, number_cases, object_cases,
        callback_cases, state_cases, engine_cases, kernel_cases,
    ):  # fmt: skip
        yield from group()


def main():
    """Run each case; the name is printed before it, and counted after it."""
    for name, call in cases():
        print(name, flush=True)
        try:
            call()
        except ERRORS:
            continue
    trained(network())
    print("all", flush=True)


if __name__ == "__main__":
    main()
