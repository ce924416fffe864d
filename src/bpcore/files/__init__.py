"""Forms of a network as a file.

In the source::

    native          the library's own files
    onnx            ONNX files, written and read
    c               C headers
    fann            FANN's text files
    keras           Keras' files
    layers          layers of a network as arrays, for ONNX and C
    coefficients    those of the library's polynomials, for ONNX and C
    strict_json     JSON, read strictly
    whole           writing a file whole, or leaving it as it was
    regular         reading a whole file, of a bounded size
"""
