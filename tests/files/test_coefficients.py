"""The coefficients of files are those of the kernels."""

import re
from pathlib import Path

import pytest

from bpcore.files.coefficients import TEXT, coefficients

SOURCE = Path(__file__).parents[2] / "src/bpcore/csrc/elementary.h"


@pytest.mark.parametrize("dtype, c", [("float32", "float"), ("float64", "double")])
def test_same_as_in_c(dtype, c):
    source = SOURCE.read_text()
    assert set(TEXT[dtype]) == {"EXP", "LOG", "NORMAL_CENTRE", "NORMAL_TAIL"}
    for name in TEXT[dtype]:
        table = re.search(rf"const {c} T\({name}\)\[\] = {{(.*?)}};", source, re.DOTALL)
        numbers = re.sub(r"/\*.*?\*/", "", table[1]).replace("f,", ",").split(",")
        expected = [float.fromhex(number.strip().rstrip("f")) for number in numbers]
        assert [float.fromhex(x) for x in coefficients(dtype, name)] == expected
