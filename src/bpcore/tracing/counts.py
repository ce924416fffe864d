"""The number of paths, and of multiplications of both forms of a derivative."""

from __future__ import annotations

import itertools
import math

from bpcore.model.design import Design


def joins(design: Design, m: int) -> bool:
    """Whether f[m] is a softmax, which joins all units, and not part of the loss."""
    last = len(design.activations) - 1
    return design.activations[m] == "softmax" and not (
        m == last and design.loss_takes_z
    )


def n_paths(design: Design, l: int) -> int:
    """The product of the widths above; that of a softmax layer counts twice."""
    widths = design.sizes[l + 2 :]
    softmax = (
        design.sizes[m + 1]
        for m in range(l, len(design.activations))
        if joins(design, m)
    )
    return math.prod(widths) * math.prod(softmax)


def n_factors(design: Design, l: int) -> int:
    """The number of factors: a, W and f' of every layer above, and dE/da or dE/dz."""
    slopes = len(design.activations) - l - design.loss_takes_z
    return 2 + slopes + len(design.activations) - l - 1


def layer_by_layer(design: Design, l: int) -> int:
    """Multiplications for one weight and one row, layer by layer from the last."""
    count, last = 1, len(design.activations) - 1  # a times delta
    for m in range(last, l - 1, -1):
        width = design.sizes[m + 1]
        needed = width if m > l else 1  # units whose delta is needed
        if m < last:  # delta[m+1] @ W[m+1].T
            count += (width if joins(design, m) else needed) * design.sizes[m + 2]
        if joins(design, m):
            count += needed * width
        elif m < last or not design.loss_takes_z:
            count += needed
    return count


def all_parameters(design: Design, n: int) -> tuple[int, int]:
    """Multiplications for all parameters: along all paths, and layer by layer."""
    expanded = layered = 0
    last, paths = len(design.activations) - 1, 1
    for l, (n_in, n_out) in reversed([*enumerate(itertools.pairwise(design.sizes))]):
        # `n_paths`, as a running product.
        paths *= design.sizes[l + 2] if l < last else 1
        paths *= n_out if joins(design, l) else 1
        factors = n_factors(design, l)
        expanded += n_in * n_out * paths * (factors - 1)  # weights
        expanded += n_out * paths * (factors - 2)  # biases, without a
        layered += n_in * n_out  # dW
        if l > 0:
            layered += n_in * n_out  # dE/da
        if joins(design, l):
            layered += n_out * n_out
        elif l < last or not design.loss_takes_z:
            layered += n_out
    return n * expanded, n * layered
