"""The rows of bench.sparse have the zeros that they state."""

import numpy as np
import pytest
from bench import sparse
from bench.sparse_rows import KINDS, ROWS, Rows

CASES = {
    kind: Rows(net, kind=kind) for net, kinds in sparse.NETS.items() for kind in kinds
}


@pytest.mark.parametrize("kind", CASES)
def test_rows_have_one_norm_and_the_dtype(kind):
    case = CASES[kind]
    assert case.X.shape == (ROWS, case.sizes[0])
    assert case.X.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(case.X, axis=1), 2, rtol=1e-5)


@pytest.mark.parametrize(
    "kind, zeros",
    [
        ("dense", 0),
        ("margins", 624 / 784),
        ("scattered", 628 / 784),
        ("one-hot", 783 / 784),
    ],
)
def test_the_zeros(kind, zeros):
    assert CASES[kind].zeros == pytest.approx(zeros)
    each = np.count_nonzero(CASES[kind].X == 0, axis=1)
    assert each.min() == each.max()


def test_margins_are_zero_in_every_row():
    images = CASES["margins"].X.reshape(ROWS, 28, 28)
    assert not images[:, :4].any() and not images[:, -4:].any()
    assert not images[:, :, :4].any() and not images[:, :, -4:].any()
    assert images[:, 4:-4, 4:-4].any(axis=0).all()


def test_digits_are_about_half_zeros():
    assert 0.4 < Rows("64-128-10", kind="digits").zeros < 0.6


def test_every_kind_is_described():
    assert set(CASES) | {"MNIST"} == set(KINDS)
