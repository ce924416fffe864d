"""The native file of networks and estimators, with the layout of safetensors.

In the source::

    fit_file        how far a fit is, for another that goes on
    network_file    a network, its self-test and its history
    model_file      the text that says what is in a file; errors
    networks        a network as values for JSON and arrays, and back
    history         a History, likewise
    self_test       an input and the output that must come again
    parameters      arguments of an estimator's constructor
    settings        losses, optimizers and schedules, by the names of their classes
    values          names, categories and classes
    container       the layout of the bytes
    header          its header: names, dtypes and places of the arrays
    parallel        reading and computing in several threads
"""
