"""A variable with many uses: its gradient is summed in place, in the old order."""

import numpy as np
import pytest

from bpcore.graph import Variable
from bpcore.graph.backward import in_order
from bpcore.graph.operations import Take


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "indices",
    [
        range(50),
        [slice(3, 40, 3), slice(None), Ellipsis, 7, -1],
        [[1, 1, 2], np.array([49, 49]), 3, np.arange(50) > 20, (slice(2, 4),)],
    ],
    ids=["each", "slices", "repeated"],
)
def test_elements_taken_many_times(dtype, indices):
    rng = np.random.default_rng(0)
    x = Variable(rng.normal(size=50).astype(dtype))
    scales = [np.asarray(rng.normal(), dtype) for _ in indices]
    takes = [x[i] for i in indices]
    J = sum((scale * v).sum() for scale, v in zip(scales, takes, strict=True))
    J.backward()
    total = np.zeros(50, dtype)
    for i, scale in reversed([*zip(indices, scales, strict=True)]):
        part = np.zeros(50, dtype)
        np.add.at(part, i, scale)
        total = total + part
    np.testing.assert_array_equal(x.grad, total)
    assert x.grad.dtype == dtype


@pytest.mark.parametrize(
    ("index", "at", "other"),
    [
        (np.array([0, 1]), 0, 3),
        ([0, 1], 0, 3),
        (([0, 1],), (0, 0), 3),
        (np.array([True, True, False, False]), 2, True),
    ],
)
def test_an_index_that_changes_before_the_backward_pass(index, at, other):
    x = Variable(np.arange(4.0))
    J = x[index].sum()
    if isinstance(at, tuple):
        index[at[0]][at[1]] = other
    else:
        index[at] = other
    J.backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 0, 0])


def test_an_index_that_cannot_be_copied():
    x = Variable(np.arange(4.0))
    x[memoryview(np.array([0, 1]))].sum().backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 0, 0])


def test_no_array_of_zeros_for_each_element_taken(monkeypatch):
    """That would be quadratic: a loop over a vector of 10^6 would not end."""
    calls = []
    pull = Take.pull
    monkeypatch.setattr(Take, "pull", lambda *rest: calls.append(1) or pull(*rest))
    x = Variable(np.arange(300.0))
    sum(v * v for v in x).backward()
    np.testing.assert_array_equal(x.grad, 2 * np.arange(300.0))
    assert len(calls) <= 2


def test_a_gradient_is_no_view_of_another():
    x = Variable(np.arange(6.0))
    y = x.reshape(2, 3)
    J = (y + y.reshape(2, 3) + y * 2).sum() + x.sum() + x.sum()
    J.backward()
    assert x.grad.tolist() == [6.0] * 6 and y.grad.tolist() == [[4.0] * 3] * 2
    y.grad[...] = 0
    assert x.grad.tolist() == [6.0] * 6


def test_numbers_used_many_times():
    x = Variable(3.0)
    J = x * x * x + x + x + x
    J.backward()
    assert x.grad.tolist() == 3 * 9 + 3 and x.grad.shape == ()


def test_each_after_its_operands_and_the_first_operand_first():
    a, b = Variable(1.0), Variable(2.0)
    u = a + b
    v = b * u
    J = (v - a) + u * v
    order = in_order(J)
    assert [id(x) for x in order[:4]] == [id(x) for x in (b, a, u, v)]
    place = {x: k for k, x in enumerate(order)}
    for x in order:
        operands = (o for o in x.node.operands if isinstance(o, Variable))
        assert all(place[o] < place[x] for o in operands)
    assert len(place) == len(order) == 7
