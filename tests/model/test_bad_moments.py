"""Moments of batch norm that apply refuses."""

from dataclasses import replace

import numpy as np
import pytest

from helpers import short
from helpers.refusals import DATA, EITHER, VALUE, made

BAD_MOMENTS = [
    np.zeros(3, "f4"),
    np.zeros(9, "f4"),
    np.zeros((2, 4)),
    "mean",
    [[0], []],
]


def test_moments_of_another_dtype(Network):
    # Those of batch norm, which come with the derivatives.
    net = made(Network, norm="batch")
    other = made(Network, norm="batch", dtype="float64")
    gradients = other.gradients(*DATA)
    for each in (net, other):
        each.apply(gradients)
    np.testing.assert_allclose(net.running_moments[0], other.running_moments[0], 1e-3)


@pytest.mark.parametrize("moments", BAD_MOMENTS, ids=short)
def test_bad_moments(Network, moments):
    net = made(Network, norm="batch")
    gradients = replace(net.gradients(*DATA), moments=moments)
    EITHER("gradients.moments must ...; got ...").of(lambda: net.apply(gradients), net)


def test_moments_of_a_network_with_other_norms(Network):
    # As many parameters, but fewer moments.
    net = made(Network, sizes=(3, 4, 8), norm=["layer", "batch"])
    other = made(Network, sizes=(3, 4, 8), norm=["batch", "layer"])
    gradients = other.gradients(*DATA)
    VALUE("gradients.moments must ...; got ...").of(lambda: net.apply(gradients), net)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((9, 2)),
                                  np.zeros(3), 5, None], ids=short)  # fmt: skip
def test_rows_that_moments_cannot_be_of(Network, rows):
    net = made(Network, norm="batch")
    gradients = replace(net.gradients(*DATA), input=rows)
    VALUE("gradients.input must ...; got ...").of(lambda: net.apply(gradients), net)
