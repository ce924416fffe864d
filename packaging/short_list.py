"""What runs where the whole suite takes too long."""

#: Requirements of the tests below.
REQUIREMENTS = ["pytest", "mpmath"]

#: The scalar build calls fma of the C library: slow, and the same on every interpreter.
FASTER = ["-k", "not scalar"]

BITS = [
    "tests/engine/test_bits.py",
    "tests/engine/test_dispatch.py",
    "tests/kernels/test_kernel_bits.py",
]

#: For an emulated processor: recorded bits, and what depends on the instruction set.
#: The many updates of all optimizers are in the recorded bits.
EMULATED = ["-k", "not scalar and not update", *BITS]
EMULATED += ["tests/training/test_training.py::test_every_machine"]

#: Imports, bits, threads, pickling and training.
TESTS = [
    *FASTER,
    *BITS,
    "tests/test_imports.py",
    "tests/test_golden.py",
    "tests/engine/test_at_once.py",
    "tests/engine/test_free_threading.py",
    "tests/engine/test_threads.py",
    "tests/model/test_snapshot.py",
    "tests/training/test_history.py",
    "tests/training/test_training.py",
]
