"""The state of this thread's floating-point arithmetic (csrc/arithmetic.h)."""


def arithmetic_now():
    """The state, as an int.

    Examples
    --------
    >>> from bpcore.engine.engine import arithmetic_now
    >>> arithmetic_now() >= 0
    True
    """
    return arithmetic_in_force()


def set_arithmetic(state=None):
    """Set the state to one that `arithmetic_now` returned, or to IEEE 754's default.

    Examples
    --------
    >>> from bpcore.engine.engine import arithmetic_now, set_arithmetic
    >>> before = arithmetic_now()
    >>> set_arithmetic()
    >>> set_arithmetic(before)
    """
    change_arithmetic(DEFAULT_ARITHMETIC if state is None else <arithmetic_t>state)
