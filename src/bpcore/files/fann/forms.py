"""FANN's activations, and the same in this library."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """FANN's activation as this library's: ``f(factor s x + start) scale + shift``."""

    f: str
    factor: float = 1.0
    start: float = 0.0
    scale: float = 1.0
    shift: float = 0.0


#: The names of FANN's activations in the order of their numbers.
NAMES = (
    "LINEAR",
    "THRESHOLD",
    "THRESHOLD_SYMMETRIC",
    "SIGMOID",
    "SIGMOID_STEPWISE",
    "SIGMOID_SYMMETRIC",
    "SIGMOID_SYMMETRIC_STEPWISE",
    "GAUSSIAN",
    "GAUSSIAN_SYMMETRIC",
    "GAUSSIAN_STEPWISE",
    "ELLIOT",
    "ELLIOT_SYMMETRIC",
    "LINEAR_PIECE",
    "LINEAR_PIECE_SYMMETRIC",
    "SIN_SYMMETRIC",
    "COS_SYMMETRIC",
    "SIN",
    "COS",
)

#: {name there: the same here}
FORMS = {
    "LINEAR": Form("identity"),
    "SIGMOID": Form("sigmoid", 2.0),
    "SIGMOID_SYMMETRIC": Form("tanh"),
    "ELLIOT": Form("softsign", 1.0, 0.0, 0.5, 0.5),
    "ELLIOT_SYMMETRIC": Form("softsign"),
    "LINEAR_PIECE": Form("hard_sigmoid", 6.0, -3.0),
    "LINEAR_PIECE_SYMMETRIC": Form("hard_tanh"),
}

#: Those that are written: {name here: name there}.
WRITTEN = {form.f: name for name, form in FORMS.items() if form.scale == 1}
