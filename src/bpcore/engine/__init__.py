"""The engine: which kernels run, and the order in which they are called."""
