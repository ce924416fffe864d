"""What runs where the whole suite takes too long."""

#: Requirements of the tests below.
REQUIREMENTS = ["pytest", "mpmath"]

#: Imports, recorded bits, kernels, threads, training, pickling.
TESTS = [
    "tests/test_imports.py",
    "tests/test_golden.py",
    "tests/engine/test_at_once.py",
    "tests/engine/test_bits.py",
    "tests/engine/test_dispatch.py",
    "tests/engine/test_free_threading.py",
    "tests/engine/test_threads.py",
    "tests/kernels/test_kernel_bits.py",
    "tests/model/test_snapshot.py",
    "tests/training/test_history.py",
    "tests/training/test_training.py",
]

#: The same for an emulated processor: what depends on the instruction set.
EMULATED = [
    "tests/engine/test_bits.py",
    "tests/engine/test_dispatch.py",
    "tests/kernels/test_kernel_bits.py",
    "tests/training/test_training.py::test_every_machine",
]
