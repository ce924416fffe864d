"""ONNX files, written and read without the package ``onnx``."""
