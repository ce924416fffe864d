"""Fits whose bits are recorded.

ways       ways to train and to predict, all with the same bits
cases      the cases: networks, optimizers, options and data
outcome    what a fit leaves, as digests
options    values of the options, and which go together
"""
