"""Fits whose bits are recorded.

Its modules, each above those that it imports::

    ways       ways to train and to predict, all with the same bits
    cases      the cases: networks, optimizers, options and data
    options    values of the options, and which go together
    outcome    what a fit leaves, as digests
"""
