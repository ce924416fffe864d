"""C headers: a network as C99 source that needs nothing else.

In the source::

    export       a network as a header
    header       the parts of a header, in order
    templates    their fixed text
    network      layers of a network as calls in C
    source       functions and arrays of a header under construction
    functions    functions by name: elementary, activations, rows
    quantise     weights of 8 bits
    report       sizes, and what 8 bits cost
"""
