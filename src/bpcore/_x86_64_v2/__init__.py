"""The kernels built for x86-64-v2 (SSE4.2): no fused multiply-add, so bits differ."""
