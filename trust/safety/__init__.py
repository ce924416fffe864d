"""Calls in which wrong use of memory shows.

Its modules, each above those that it imports::

    hooks               objects that lie about memory or change it during a call
    liars               optimizers, tapes and arrays that are not what they say
    meddlers            numbers, callbacks and losses that change what a call works on
    engine_arguments    wrong arrays for each method of the engine
    kernel_hooks        numbers that resize the arrays of a kernel
    subject             the network and the data of these cases
    finalizers          random calls in the middle of others, by the garbage collector
    random_calls        random networks, calls and arrays
    guard_pages         arrays between pages that cannot be read
    edge_sizes          a short program for valgrind
    leaks               memory after many fits
    guided              changed files, guided by the lines that they reach
"""
