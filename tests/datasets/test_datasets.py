"""The digits that are shipped, the reader of IDX files, and folders of MNIST."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest

from bpcore.datasets import load_digits, load_idx, load_mnist

IDX_DTYPES = {
    0x08: np.uint8,
    0x09: np.int8,
    0x0B: np.int16,
    0x0C: np.int32,
    0x0D: np.float32,
    0x0E: np.float64,
}
IDX_CODES = {np.dtype(dtype): code for code, dtype in IDX_DTYPES.items()}


def idx_bytes(array):
    header = struct.pack(">HBB", 0, IDX_CODES[array.dtype], array.ndim)
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return header + shape + array.astype(array.dtype.newbyteorder(">")).tobytes()


# --- digits ---


def test_digits_have_the_documented_form():
    X, y = load_digits()
    assert X.shape == (1797, 64) and X.dtype == np.float32
    assert y.shape == (1797,) and y.dtype == np.int64
    assert X.flags.c_contiguous and X.flags.writeable
    assert np.unique(X).tolist() == [grey / 16 for grey in range(17)]


def test_digits_of_every_class():
    _, y = load_digits()
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(y).tolist() == counts


def test_digits_are_the_callers_own():
    X, y = load_digits()
    X[:], y[:] = -1, -1
    X_again, y_again = load_digits()
    assert X_again.min() == 0 and y_again.min() == 0


def test_digits_equal_those_of_scikit_learn():
    sklearn_datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = sklearn_datasets.load_digits(return_X_y=True)
    X, y = load_digits()
    assert np.array_equal(X * 16, pixels)
    assert np.array_equal(y, labels)


# --- IDX ---


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("shape", [(7,), (2, 3), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("dtype", IDX_DTYPES.values())
def test_idx_round_trip(tmp_path, dtype, shape, compress):
    # Bytes of every value, so that a wrong byte order or sign cannot pass.
    n_bytes = np.prod(shape) * np.dtype(dtype).itemsize
    array = np.arange(100, 100 + n_bytes).astype(np.uint8).view(dtype).reshape(shape)
    path = tmp_path / "values.idx"
    path.write_bytes(compress(idx_bytes(array)))
    read = load_idx(path)
    assert read.dtype == array.dtype and read.dtype.isnative
    assert read.flags.writeable
    assert np.array_equal(read, array)
    assert np.array_equal(load_idx(str(path)), array)


THREE = idx_bytes(np.array([1, 2, 3], np.int16))  # 8 bytes of header, 6 of values


@pytest.mark.parametrize(
    ("data", "expected", "got"),
    [
        (b"", "at least 4 bytes", "0"),
        (b"\0\0\x08", "at least 4 bytes", "3"),
        (b"\0\1" + THREE[2:], "starts with 00 00", "00 01"),
        (b"\x89PNG\r\n", "starts with 00 00", "89 50"),
        (b"\0\0\x0a" + THREE[3:], "IDX types 0x08, 0x09, 0x0B", "0x0A"),
        (b"\0\0\x0f" + THREE[3:], "0x0C, 0x0D, 0x0E", "0x0F"),
        (b"\0\0\x08\0", "1 to 64 dimensions", "0"),
        (b"\0\0\x08\x41" + bytes(4 * 65), "1 to 64 dimensions", "65"),
        (THREE[:7], "header of 8 bytes for 1 dimensions", "7"),
        (THREE[:8], r"6 bytes of values for int16 of shape \(3,\)", "0"),
        (THREE[:-1], r"6 bytes of values for int16 of shape \(3,\)", "5"),
        (THREE + b"\0", r"6 bytes of values for int16 of shape \(3,\)", "more than 6"),
        (gzip.compress(THREE[:-1]), "6 bytes of values", "5"),
        (gzip.compress(THREE)[:-9], "whole gzip data", ""),
        (gzip.compress(THREE)[:-8] + bytes(8), "whole gzip data", ""),
        (gzip.compress(THREE) + b"more", "whole gzip data", ""),
    ],
    ids=[
        *("no bytes", "3 bytes", "another start", "PNG", "no type", "another type"),
        *(
            "no dimensions",
            "65 dimensions",
            "half a header",
            "no values",
            "a byte less",
        ),
        *("a byte more", "gzip of a byte less", "half a gzip", "bad checksum"),
        "gzip and more",
    ],
)
def test_idx_refuses_what_is_not_whole(tmp_path, data, expected, got):
    path = tmp_path / "broken.idx"
    path.write_bytes(data)
    message = rf"broken\.idx: expected .*{expected}.*; got {got}"
    with pytest.raises(ValueError, match=message):
        load_idx(path)


#: 20 MB of zeros in 20 KB.
ZEROS = gzip.compress(b"\0" * 20_000_000)


@pytest.mark.parametrize(
    ("data", "expected", "got"),
    [
        (gzip.compress(THREE) + ZEROS, "6 bytes of values", "more than 6"),
        (ZEROS, "one of the IDX types", "0x00"),
        (
            gzip.compress(b"\0\0\x0e\2" + b"\x7f" * 8) + ZEROS,
            r"36604694812926019592 bytes .*float64 of shape \(2139062143, 2139062143\)",
            r"2\d{7}$",  # 1032 times those of the file
        ),
        (b"\0\0\x0e\2" + b"\x7f" * 8, r"\d+ bytes of values for float64", "0$"),
        (b"\0\0\x0e\3" + b"\0" * 4 + b"\x7f" * 8, "a shape of at most", r"\(0, 2139"),
    ],
    ids=["more than announced", "zeros only", "too much", "no values", "empty"],
)
def test_idx_that_would_take_much_memory(tmp_path, data, expected, got):
    path = tmp_path / "bomb.idx"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"expected {expected}.*; got {got}"):
            load_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_idx_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.idx"):
        load_idx(tmp_path / "absent.idx")


# --- MNIST ---


def mnist_files():
    """Return the four arrays of a very small MNIST, by file name."""
    rng = np.random.default_rng(0)
    files = {}
    for part, n in (("train", 20), ("t10k", 10)):
        images = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        files[f"{part}-images-idx3-ubyte"] = images
        files[f"{part}-labels-idx1-ubyte"] = np.arange(n, dtype=np.uint8) % 10
    return files


def write(folder, files):
    for name, array in files.items():
        compress = gzip.compress if name.endswith(".gz") else bytes
        (folder / name).write_bytes(compress(idx_bytes(array)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("joint", ["-", "."])
def test_mnist_under_all_its_names(tmp_path, joint, suffix):
    files = mnist_files()
    names = [name.replace("-idx", f"{joint}idx") + suffix for name in files]
    write(tmp_path, dict(zip(names, files.values(), strict=True)))
    X_train, y_train, X_test, y_test = load_mnist(tmp_path)
    assert X_train.shape == (20, 784) and X_test.shape == (10, 784)
    assert X_train.dtype == X_test.dtype == np.float32
    assert y_train.dtype == y_test.dtype == np.int64
    grey = files["train-images-idx3-ubyte"].reshape(20, 784)
    assert np.array_equal(X_train, grey.astype(np.float32) / np.float32(255))
    assert X_train.max() == 1
    assert y_test.tolist() == list(range(10))


@pytest.mark.parametrize("missing", mnist_files())
def test_mnist_names_the_file_that_is_missing(tmp_path, missing):
    files = mnist_files()
    del files[missing]
    write(tmp_path, files)
    with pytest.raises(FileNotFoundError) as caught:
        load_mnist(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    for name in (missing, missing.replace("-idx", ".idx")):
        assert f"{name}, {name}.gz" in message


def test_mnist_folder_that_is_not_there(tmp_path):
    message = "nowhere is not a folder: looked for train-images-idx3-ubyte"
    with pytest.raises(FileNotFoundError, match=message):
        load_mnist(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-images-idx3-ubyte", np.zeros((20, 28, 27), "u1"), r"\(20, 28, 27\)"),
        ("train-images-idx3-ubyte", np.zeros((20, 784), "u1"), r"\(20, 784\)"),
        ("t10k-images-idx3-ubyte", np.zeros((10, 28, 28), "f4"), "float32"),
        ("train-labels-idx1-ubyte", np.zeros(19, "u1"), r"\(20,\), one per.*\(19,\)"),
        ("train-labels-idx1-ubyte", np.zeros((20, 1), "u1"), r"\(20, 1\)"),
        ("t10k-labels-idx1-ubyte", np.zeros(10, "i4"), "int32"),
        ("t10k-labels-idx1-ubyte", np.full(10, 10, "u1"), "0 to 9; got 10"),
    ],
)
def test_mnist_refuses_what_is_not_mnist(tmp_path, name, array, message):
    write(tmp_path, {**mnist_files(), name: array})
    with pytest.raises(ValueError, match=f"{name}: expected .*{message}"):
        load_mnist(tmp_path)
