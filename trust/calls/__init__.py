"""Public calls that take data.

Its modules, each above those that it imports::

    table         all of them, and public parameters of data that none has
    functions     functions on networks
    networks      methods of networks
    kernels       kernels
    estimators    methods of estimators
    graph         functions of the graph
    metrics       metrics
    call          a call with one argument left open, and right data for it
"""
