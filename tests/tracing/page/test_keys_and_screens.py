"""Pages by keyboard, by screen reader, on small and dark screens, in a notebook."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.show.colours import colour_of, text_colour_on
from helpers.browser import click, lit, title
from helpers.pages import TRACES, of_labels, of_many_paths, of_xor

each_trace = pytest.mark.parametrize("make", TRACES.values(), ids=TRACES)


def test_by_keyboard_alone(shown):
    page = shown(of_xor())
    focused = "document.activeElement.dataset.name ?? document.activeElement.id"

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)
        return page.evaluate(focused)

    press("ArrowRight")
    assert title(page).startswith("Forward, layer 0")
    press("End")
    assert title(page).startswith("Update")
    press("ArrowLeft")
    assert title(page).startswith("Backward, layer 0")
    press("Home", "ArrowLeft")
    assert title(page) == "Input"
    # Tab leads through the buttons, the row, one weight and one unit.
    stops = [press("Tab") for _ in range(7)]
    assert stops == ["first", "back", "next", "last", "row", "W[0][0, 0]", "a[0][0]"]
    assert press("ArrowDown") == "a[0][1]" and press("ArrowUp", "ArrowUp") == "a[3][0]"
    press("ArrowRight", "ArrowRight", "ArrowRight")
    assert "z[2][0] = sum" in page.locator("#chosen").inner_text()
    assert press("Shift+Tab") == "W[0][0, 0]"
    assert press("ArrowDown", "ArrowDown", "Enter") == "W[0][0, 1]"
    assert "W[0][0, 1]" in lit(page) and page.locator("#paths tbody tr").count() == 2
    said = page.locator("#said[aria-live=polite]")
    assert said.inner_text().startswith("dE/dW[0][0, 1] = ")
    press(" ")
    assert lit(page) == set()
    assert said.inner_text() == ""
    press("Enter", "Escape")
    assert lit(page) == set()
    assert title(page).startswith("Forward, layer 2")
    # Keys of the browser and of the row's list stay theirs.
    press("Alt+ArrowRight", "Control+End")
    assert title(page).startswith("Forward, layer 2")
    page.locator("#row").focus()
    press("ArrowDown")
    assert page.locator("#row").input_value() == "2"
    assert title(page).startswith("Forward, layer 2")


def test_the_focus_stays_and_is_seen(shown):
    sync_api = pytest.importorskip("playwright.sync_api")
    page = shown(of_xor())
    page.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.locator('[data-name="a[2][1]"]').focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.name") == "a[2][1]"
    circle = page.locator('[data-name="a[2][1]"] circle')
    sync_api.expect(circle).to_have_css("stroke-width", "5px")


def test_what_a_screen_reader_is_given(shown):
    t = of_labels()
    page = shown(t)
    tree = page.locator("body").aria_snapshot()
    for button in ("First", "◀ Back", "Next ▶", "Last"):
        assert f'button "{button}"' in tree
    assert 'group "units"' in tree and 'group "weights"' in tree
    assert 'heading "Input"' in tree and 'combobox "Row"' in tree
    assert f'button "unit a[0][0], a {t.a[0][0, 0]:.4g}"' in tree
    buttons = page.locator('svg [role="button"][aria-label][aria-pressed]').count()
    assert buttons == sum(t.sizes) + sum(W.size for W in t.dW)
    assert page.locator("#phase").get_attribute("aria-live") == "polite"
    assert page.locator("html").get_attribute("lang") == "en"


@pytest.mark.parametrize("motion, moves", [("reduce", False), ("no-preference", True)])
def test_reduced_motion(shown, motion, moves):
    page = shown(of_xor(), reduced_motion=motion)
    duration = "getComputedStyle(document.querySelector('circle')).transitionDuration"
    assert (page.evaluate(duration) != "0s") == moves


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_are_those_of_every_picture(shown, scheme):
    t, row = of_xor(), 3
    page = shown(t, color_scheme=scheme, reduced_motion="reduce")
    page.locator("#row").select_option(str(row))
    page.locator("#last").click()
    for l, delta in enumerate(t.delta):
        for j, share in enumerate(delta[row] / np.abs(delta[row]).max()):
            unit = page.locator(f'[data-name="a[{l + 1}][{j}]"]')
            script = (
                "e => [e.children[0], e.children[1]].map(c => getComputedStyle(c).fill)"
            )
            fill, ink = unit.evaluate(script)
            assert fill == rgb(colour_of(float(share)))
            assert ink == rgb(text_colour_on(colour_of(float(share))))
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")


def rgb(colour):
    return (
        f"rgb({', '.join(str(int(part, 16)) for part in re.findall('..', colour[1:]))})"
    )


@pytest.mark.parametrize("width", [390, 800, 1280])
@each_trace
def test_no_label_lies_on_another(shown, make, width):
    """Nor on a unit, in any phase; and the page is never wider than the screen."""
    t = make()
    page = shown(t, width)
    for _ in range(2 * t.n_layers + 3):
        boxes = page.eval_on_selector_all(
            ".label, .unit circle",
            "all => all.map(e => e.getBoundingClientRect()).map(b => "
            "[b.left, b.top, b.right, b.bottom])",
        )
        for k, (left, top, right, bottom) in enumerate(boxes):
            for other in boxes[:k]:
                apart = left >= other[2] or right <= other[0]
                assert apart or top >= other[3] or bottom <= other[1]
        root = "document.documentElement"
        room = f"{root}.scrollWidth <= {root}.clientWidth"
        assert page.evaluate(room)
        page.keyboard.press("ArrowRight")


def test_small_networks_have_their_numbers_on_the_lines(shown):
    """In every phase, on a phone too; the drawing follows the width of the page."""
    sync_api = pytest.importorskip("playwright.sync_api")
    for width in (390, 1280):
        page = shown(of_xor(), width)
        assert page.locator(".label").count() == 10
        page.locator("#last").click()
        assert page.locator(".label").count() == 10
    wide = page.locator("svg").get_attribute("width")
    page.set_viewport_size({"width": 390, "height": 800})
    sync_api.expect(page.locator("svg")).not_to_have_attribute("width", wide)
    assert title(page).startswith("Update") and page.locator(".label").count() == 10


def test_the_focus_stays_when_the_width_changes(shown):
    sync_api = pytest.importorskip("playwright.sync_api")
    page = shown(of_xor())
    for name, width in (("a[1][1]", 390), ("W[1][0, 1]", 1280)):
        item = page.locator(f'[data-name="{name}"]')
        item.focus()
        drawn = page.locator("svg").get_attribute("width")
        page.set_viewport_size({"width": width, "height": 800})
        sync_api.expect(page.locator("svg")).not_to_have_attribute("width", drawn)
        assert page.evaluate("document.activeElement.dataset.name") == name
        group = item.locator("xpath=..")
        assert group.locator('[tabindex="0"]').get_attribute("data-name") == name


@pytest.mark.parametrize("touch, words", [(True, "Tap a"), (False, "Point at a")])
def test_a_touch_screen_is_tapped(shown, touch, words):
    page = shown(of_xor(), 390, has_touch=touch, is_mobile=touch)
    assert page.locator("#chosen").inner_text().startswith(words)


def test_a_wide_table_scrolls_and_its_cut_side_is_shaded(shown):
    net = bp.Network([4, 6, 5, 3], activation="tanh", loss="cross_entropy", rng=0)
    page = shown(bp.trace(net, np.random.default_rng(0).normal(size=(2, 4)), [0, 1]))
    click(page, "W[0][0, 0]")
    box = page.locator(".scroll:has(#paths)")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    assert box.evaluate("e => getComputedStyle(e).overflowX") == "auto"
    attachment = box.evaluate("e => getComputedStyle(e).backgroundAttachment")
    assert attachment == "local, local, scroll, scroll"
    box.evaluate("e => { e.scrollLeft = 1e6; }")
    last = "e => e.querySelector('td:last-child').getBoundingClientRect().right"
    assert box.evaluate(f"e => ({last})(e) <= e.getBoundingClientRect().right + 1")


def test_two_pages_in_a_notebook(browser):
    """Each in its frame, with its own phase."""
    t, other = of_xor(), of_many_paths()
    page, faults = browser.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(t._repr_html_() + other._repr_html_())
    frames = page.locator("iframe")
    assert frames.count() == 2
    first, second = (frames.nth(k).content_frame for k in range(2))
    second.locator("#last").click()
    first.locator("#next").click()
    assert first.locator("#phase").inner_text().startswith("Forward, layer 0")
    assert second.locator("#phase").inner_text().startswith("Update")
    assert first.locator(".unit").count() == sum(t.sizes)
    assert second.locator(".unit").count() == sum(other.sizes)
    page.close()
    assert faults == []
