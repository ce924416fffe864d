"""The kernels built for arm64: NEON."""
