"""FANN's text files, FANN_FLO_2.1: layered networks in which all units are connected.

A header of ``name=value`` lines; then the neurons layer by layer, each with its number
of inputs, its activation and its steepness s; then the connections of one neuron after
the other, each with the neuron it comes from.  The last neuron of a layer is the bias
of the next, also in the last layer.  A unit computes f(s x), x the sum of its inputs.
"""
