"""The engine: the order of the kernels, and the choice of their build."""
