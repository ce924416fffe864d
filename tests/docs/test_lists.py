"""Lists of names in the documentation are complete."""

import re
from pathlib import Path

import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.initializers import INITIALIZERS

ROOT = Path(__file__).parents[2]

needs_pages = pytest.mark.skipif(
    not (ROOT / "README.md").is_file(), reason="no README beside tests"
)

OPTIMIZERS = [
    name
    for name in bp.__all__
    if isinstance(getattr(bp, name), type)
    and issubclass(getattr(bp, name), bp.Optimizer)
    and name != "Optimizer"
]


def words(text):
    return set(re.findall(r"\w+", text))


def row(kind):
    """The row of README's table of parts that begins with that word."""
    (found,) = re.findall(rf"^\| {kind}.*$", (ROOT / "README.md").read_text(), re.M)
    return words(found)


@needs_pages
def test_readme_lists_every_activation():
    assert set(bp.ACTIVATIONS) <= row("activations")


@needs_pages
def test_readme_lists_every_loss():
    listed = row("losses")
    for name, loss in bp.LOSSES.items():
        assert {name, type(loss).__name__} & listed, name


@needs_pages
def test_readme_lists_every_optimizer():
    assert set(OPTIMIZERS) <= row("optimizers")


@needs_pages
def test_readme_lists_every_schedule():
    named = {name for name in schedules.__all__ if name[0].isupper()}
    of_arguments = {"Schedule", "Constant", "Custom", "Plateau"}
    assert named - of_arguments <= row("learning rates")


@needs_pages
def test_readme_lists_every_initialiser():
    listed = row("initialisers")
    for name in INITIALIZERS:
        family, _, kind = name.partition("_")
        assert family in listed and (not kind or f"_{kind}" in listed or kind in listed)


def test_network_lists_every_activation_and_loss():
    listed = words(bp.Network.__doc__)
    assert set(bp.ACTIVATIONS) <= listed
    assert set(bp.LOSSES) <= listed


@needs_pages
def test_changelog_counts_activations_and_losses():
    text = (ROOT / "CHANGELOG.md").read_text()
    activations, losses = re.search(r"(\d+) activations.*?(\d+) losses", text).groups()
    assert int(activations) == len(bp.ACTIVATIONS)
    assert int(losses) == len(bp.LOSSES)
