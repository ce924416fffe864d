"""The table of cases."""

from trust.fits.cases import table
from trust.fits.options import DTYPES, OPTIMIZERS, OPTIONS, fits

CASES = [*table().values()]


def test_every_value_is_with_every_optimizer_and_dtype():
    found = {(case.optimizer, *pair) for case in CASES for pair in case.values}
    wanted = {
        (optimizer, option, value)
        for optimizer in OPTIMIZERS
        for option, values in OPTIONS.items()
        for value in values
        if fits({option: value}, optimizer)
    }
    assert found == wanted
    of_dtypes = {(case.dtype, *pair) for case in CASES for pair in case.values}
    assert len(of_dtypes) == len(DTYPES) * sum(map(len, OPTIONS.values()))
