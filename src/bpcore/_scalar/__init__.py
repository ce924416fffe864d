"""The kernels built without vectors: for any C compiler, and the widths' yardstick."""
