"""Forms of a network as a file: the native one, ONNX, a C header.

In the source::

    onnx            ONNX files
    c               C headers
    layers          layers of a network as arrays, for both
    coefficients    those of the library's polynomials, for both
    whole           a file that is written whole or not at all
    the others      the native form
"""
