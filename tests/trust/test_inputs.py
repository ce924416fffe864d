"""A few forms of data for every public call; the campaign tries all of them."""

import pytest

from trust.calls.table import calls, untried
from trust.forms.table import forms
from trust.inputs import fault, trials

CALLS = calls()
#: Each call gets one in so many forms, the next call the next ones.
STEP = 48


@pytest.fixture(scope="module")
def made():
    return forms()


def test_every_parameter_of_data_is_tried():
    assert untried() == []


@pytest.mark.parametrize("first", range(8))
def test_a_right_result_or_the_documented_error(made, first):
    wrong = []
    for number, call in enumerate(CALLS[first::8]):
        several = list(trials(call, made))
        for name, form in several[(first + number * 8) % STEP :: STEP]:
            found = fault(call, form)
            wrong += [] if found is None else [f"{call}: {name}: {found}"]
    assert wrong == []
