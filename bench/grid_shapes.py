"""Sixty layers, in named classes: 1 to 4096 rows, 1 to 2048 units, odd numbers too.

None has more than 1.1 thousand million multiply-adds, so that all can be timed in a few
minutes.
"""

#: n x n_in x n_out, as in `bench.layer`.
CLASSES = {
    "single rows": (
        *("1x1x1024", "1x2x16", "1x64x64", "1x128x10"),
        *("1x784x128", "1x300x7", "1x1024x1024", "1x2048x2048"),
    ),
    "small batches": (
        *("2x784x128", "4x64x64", "4x1024x1024", "6x100x100", "8x256x256"),
        *("8x784x128", "16x784x128", "16x512x512", "16x2048x512"),
    ),
    "MLP layers": (
        *("32x64x64", "32x128x128", "32x784x128", "64x256x256", "64x784x256"),
        *("128x512x512", "128x784x128", "200x784x100", "256x256x256", "256x784x300"),
    ),
    "wide layers": (
        *("32x1024x1024", "64x2048x2048", "128x1024x1024", "128x512x2048"),
        *("128x2048x512", "256x784x1024", "256x1024x1024", "256x2048x2048"),
    ),
    "large batches": (
        *("512x256x256", "1024x64x64", "1024x784x128", "1024x1024x1024"),
        *("2048x784x128", "4096x64x32", "4096x256x256", "4096x784x100"),
    ),
    "odd sizes": (
        *("3x5x7", "7x97x101", "17x31x63", "19x1023x1025", "33x785x129"),
        *("61x127x251", "129x255x257", "255x513x127", "1023x65x33", "1500x300x200"),
    ),
    "narrow outputs": (
        *("32x128x10", "128x784x10", "256x64x1", "1024x128x10"),
        *("2048x64x2", "4096x32x3", "4096x100x1"),
    ),
}
