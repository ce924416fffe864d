"""Arrays as small tables."""

import numpy as np
import pytest

from bpcore.graph.grid import GREY, grid, number
from bpcore.show.colours import colour_of


def texts(array, *side):
    return [[cell.text for cell in row] for row in grid(np.asarray(array), *side)]


def test_shapes():
    assert texts(3.0) == [["3"]]
    assert texts([1.0, 2.0]) == [["1", "2"]]
    assert texts([[1.0], [2.0]]) == [["1"], ["2"]]
    assert texts(np.arange(8.0).reshape(2, 2, 2)) == [
        list("01"),
        *map(list, ("23", "45", "67")),
    ]
    assert texts(np.ones((0, 3))) == []


@pytest.mark.parametrize("size", [5, 6, 7, 1000])
def test_the_middle_is_left_out(size):
    (row,) = texts(np.arange(float(size)))
    if size <= 6:
        assert row == [str(k) for k in range(size)]
    else:
        assert row == ["0", "1", "2", "...", *(str(k) for k in range(size - 3, size))]
    column = texts(np.arange(float(size))[:, None])
    assert [cell for (cell,) in column] == row


def test_colours_are_relative_to_the_largest():
    cells = grid(np.array([-2.0, 0.0, 1.0, np.nan, np.inf]))[0]
    expected = [colour_of(-1.0), colour_of(0.0), colour_of(0.5), GREY, GREY]
    assert [cell.colour for cell in cells] == expected
    assert [cell.colour for cell in grid(np.zeros(2))[0]] == [colour_of(0.0)] * 2
    assert grid(np.ones(9))[0][3].colour is None


def test_digits():
    assert [number(x) for x in (1 / 3, -2e-9 / 3, 1e300, 12345.6, -0.0)] == [
        *("0.3333", "-6.667e-10", "1e+300", "1.235e+04", "0"),
    ]
