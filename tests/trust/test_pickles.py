"""A short form of ``python -m trust.pickles``."""

import numpy as np
import pytest

from trust import pickles
from trust.pickling import objects

NETS = {"with everything": objects.full_network()}
OBJECTS = {
    f"network {name}": net for name, net in NETS.items()
} | {
    name: part
    for name, part in objects.parts(NETS).items()
    if pickles.can_be_pickled(part)
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes():
    cases = pickles.flipped_cases(OBJECTS, np.random.default_rng(1), 150)
    count = pickles.counted(
        "bytes",
        lambda case: pickles.flipped_trial(OBJECTS, *case),
        cases,
        pickles.BAD,
        300,
        lambda case: pickles.by_others(OBJECTS, case),
    )
    assert (count.tried, count.failed) == (150, 0) and "loaded" in count.note


@pytest.mark.filterwarnings("ignore")
def test_replaced_values():
    cases = pickles.replaced_cases(OBJECTS, np.random.default_rng(1), 250)
    count = pickles.counted(
        "values",
        lambda case: pickles.replaced_trial(OBJECTS, *case),
        cases,
        pickles.BAD_REPLACED,
        300,
    )
    assert (count.tried, count.failed) == (250, 0) and "named" in count.note
