"""All functions of the library as C, by name.

They make the same operations in the same order as the kernels: the bits are the same.
"""

from __future__ import annotations

from bpcore.files.c.activations import ACTIVATIONS
from bpcore.files.c.elementary import ELEMENTARY
from bpcore.files.c.function import Function
from bpcore.files.c.rows import ROWS

FUNCTIONS: dict[str, Function] = {**ELEMENTARY, **ACTIVATIONS, **ROWS}
