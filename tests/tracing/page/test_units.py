"""The sums of units in the browser: they add up, to the numbers of the trace."""

import pytest

from helpers.browser import assert_adds_up, close, equations, number
from helpers.pages import TRACES, of_xor

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


@each_trace
def test_the_sums_of_every_unit(shown, make):
    """They add up: to z, dE/da, delta and db of the trace."""
    t, row = make(), 0
    page = shown(t)
    page.locator("#row").select_option(str(row))
    page.locator("#last").click()
    for m, j in ((m, j) for m, size in enumerate(t.sizes) for j in range(size)):
        page.locator(f'[data-name="a[{m}][{j}]"]').focus()
        found = equations(page)
        if m == 0:
            assert_input(found, t, row, j)
            continue
        l = m - 1
        symbol = "u" if t.design.norms[l] else "z"
        (products,) = (
            key for key in found if key.startswith(f"{symbol}[{l}][{j}] = sum")
        )
        value = getattr(t, symbol)[l][row, j]
        assert_adds_up(found[products], value)
        assert found[products].count(" · ") == t.sizes[l]
        assert_slopes(found, t, row, l, j)


def assert_input(found, t, row, i):
    (key,) = (key for key in found if key.startswith(f"a[0][{i}] = X[{row}, {i}]"))
    assert close(number(found[key].split(" = ")[-1]), t.a[0][row, i])
    (key,) = (key for key in found if key.startswith(f"dE/da[0][{i}] = sum"))
    assert_adds_up(found[key], t.da[0][row, i])


def assert_slopes(found, t, row, l, j):
    def of(start):
        (key,) = (key for key in found if key.startswith(start))
        return found[key]

    if t.design.norms[l]:
        assert_adds_up(of(f"z[{l}][{j}] = gain"), t.z[l][row, j])
        assert close(number(of(f"du[{l}][{j}]")), t.du[l][row, j])
        assert_adds_up(of(f"dgain[{l}][{j}]"), t.dgain[l][j])
    if t.kept[l] is not None:
        assert_adds_up(of(f"a[{l + 1}][{j}] = f · kept"), t.a[l + 1][row, j])
    if l + 1 < t.n_layers:
        assert_adds_up(of(f"dE/da[{l + 1}][{j}] = sum"), t.da[l + 1][row, j])
        assert_adds_up(of(f"delta[{l}][{j}] = "), t.delta[l][row, j])
    else:
        assert close(number(of(f"dE/da[{l + 1}][{j}], by")), t.da[l + 1][row, j])
        last = found[next(key for key in found if key.startswith(f"delta[{l}]"))]
        assert close(number(last.split(" = ")[-1]), t.delta[l][row, j])
    assert_adds_up(of(f"db[{l}][{j}] = "), t.db[l][j])


def test_a_unit_is_shown_as_far_as_it_is_computed(shown):
    page = shown(of_xor())
    page.locator('[data-name="a[1][0]"]').hover()
    assert "Not computed yet." in page.locator("#chosen").inner_text()
    page.locator("#next").click()
    page.locator('[data-name="a[1][0]"]').hover()
    assert len(equations(page)) == 2
    page.mouse.move(1, 1)
    assert equations(page) == {}
