"""Forms of a network as a file: the native one, ONNX, a C header."""
