"""Rows of memory maps: what is told to the system, and the same bits."""

import mmap

import numpy as np
import pytest

import bpcore as bp
from bpcore.batches.maps import PAGE, map_of, mapped_rows, random_reads

if not hasattr(mmap, "MADV_RANDOM"):
    pytest.skip("mmap.madvise is not here", allow_module_level=True)

WIDE = PAGE // 4 + 10  # numbers of float32 in a row of more than a page


class Map(mmap.mmap):
    """A memory map that keeps the advice that it gets."""

    def madvise(self, option, *where):
        self.advice = [*getattr(self, "advice", []), (option, *where)]
        return super().madvise(option, *where)


def mapped(path, array, offset=0):
    """The array in a memory map of a file, from a byte on."""
    path.write_bytes(bytes(offset) + array.tobytes())
    with path.open("rb") as file:
        pages = Map(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pages, np.frombuffer(pages, array.dtype, offset=offset).reshape(array.shape)


def test_the_map_of_an_array(tmp_path):
    rows = np.arange(12.0).reshape(4, 3)
    pages, array = mapped(tmp_path / "rows", rows, 8)
    np.save(tmp_path / "rows.npy", rows)
    loaded = np.load(tmp_path / "rows.npy", mmap_mode="r")
    assert map_of(array) is map_of(array[1:, :2].T) is pages
    assert isinstance(map_of(loaded[2:]), mmap.mmap)
    assert map_of(rows) is map_of(rows[1:]) is map_of(None) is None


@pytest.mark.parametrize("ends", [None, KeyboardInterrupt])
def test_small_rows_are_read_alone_until_the_end(tmp_path, ends):
    small, rows = mapped(tmp_path / "small", np.zeros((9, 3), "float32"))
    large, wide = mapped(tmp_path / "large", np.zeros((9, WIDE), "float32"))
    try:
        with random_reads(rows, wide, np.ones(3), None):
            assert small.advice == [(mmap.MADV_RANDOM,)]
            if ends is not None:
                raise ends
    except KeyboardInterrupt:
        pass
    assert small.advice == [(mmap.MADV_RANDOM,), (mmap.MADV_NORMAL,)]
    assert not hasattr(large, "advice")
    with random_reads(wide, wide, wide=True):
        assert large.advice == [(mmap.MADV_RANDOM,)]


@pytest.mark.parametrize("offset", [0, 128, PAGE - 4])
def test_the_pages_of_rows_are_read_ahead(tmp_path, offset):
    pages, array = mapped(tmp_path / "rows", np.zeros((9, WIDE), "float32"), offset)
    (rows,) = mapped_rows(array[2:], np.zeros((9, WIDE)), None)
    rows.read_ahead(np.array([3, 0]))
    for (advice, at, length), row in zip(pages.advice, (5, 2), strict=True):
        first = offset + row * WIDE * 4
        assert advice == mmap.MADV_WILLNEED
        assert at % PAGE == 0 and at <= first < at + PAGE
        assert at + length == first + WIDE * 4


@pytest.mark.parametrize("width", [3, WIDE])
def test_a_fit_by_shards_of_maps_has_the_same_bits(tmp_path, width):
    X = np.random.default_rng(0).normal(size=(22, width)).astype("float32")
    y = X[:, :2].copy()
    pages, rows = mapped(tmp_path / "rows", X, 128)
    found = []
    for data in (X, rows):
        net = bp.Network([width, 2], optimizer=bp.SGD(1e-3), rng=0)
        bp.distributed.fit(
            net, data, y, shards=2, batch_size=3, epochs=2, progress=False
        )
        found.append(net.parameters.tobytes())
    assert found[0] == found[1]
    options = [option for option, *_ in pages.advice]
    ahead = [mmap.MADV_WILLNEED] * 2 * len(X) if width == WIDE else []
    assert options == [mmap.MADV_RANDOM, *ahead, mmap.MADV_NORMAL]


def test_a_fit_reads_small_rows_alone_if_they_are_shuffled(tmp_path):
    pages, rows = mapped(tmp_path / "rows", np.ones((8, 3), "float32"))
    net = bp.Network([3, 2], rng=0)
    options = {"epochs": 1, "progress": False}
    net.fit(rows, rows[:, :2], batch_size=3, shuffle=False, **options)
    net.fit(rows, rows[:, :2], batch_size=None, **options)
    assert not hasattr(pages, "advice")
    net.fit(rows, rows[:, :2].copy(), batch_size=3, **options)
    assert pages.advice == [(mmap.MADV_RANDOM,), (mmap.MADV_NORMAL,)]


class Foreign:
    """Gives its memory to an array, and is its own base, or has none to give."""

    def __init__(self, array, error=None):
        self.array, self.error = array, error
        self.__array_interface__ = array.__array_interface__

    @property
    def base(self):
        if self.error:
            raise self.error
        return self


class Own(np.ndarray):
    base = property(lambda self: self)


def test_foreign_bases_are_not_followed():
    rows = np.ones((4, 3))
    for base in (Foreign(rows, ValueError("mine")), Foreign(rows)):
        assert map_of(np.asarray(base)) is map_of(np.asarray(base)[1:]) is None
    assert map_of(rows.view(Own)) is None


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"batch_size": None}])
@pytest.mark.parametrize("width", [3, WIDE])
def test_a_map_cannot_be_closed_during_a_fit(tmp_path, width, options):
    path = tmp_path / "rows.npy"
    np.save(path, np.ones((9, width), "float32"))
    X = np.load(path, mmap_mode="r")
    pages = map_of(X)
    y = np.ones((9, 2), "float32")

    def close(*_):
        with pytest.raises(BufferError):
            pages.close()

    net = bp.Network([width, 2], optimizer=bp.SGD(1e-3), rng=0)
    options = {"batch_size": 3, "epochs": 2, **options}
    net.fit(X, y, callbacks=[close], progress=False, **options)
    validation = (X, y)
    net.fit(np.array(X), y, validation=validation, callbacks=[close], progress=False)
    pages.close()


def test_a_map_is_read_in_order_again_when_the_last_fit_ends(tmp_path):
    pages, rows = mapped(tmp_path / "rows", np.zeros((9, 3), "float32"))
    first, second = random_reads(rows, rows[:, :2]), random_reads(rows)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert pages.advice == [(mmap.MADV_RANDOM,)]
    second.__exit__(None, None, None)
    assert pages.advice == [(mmap.MADV_RANDOM,), (mmap.MADV_NORMAL,)]
    with random_reads(rows):
        assert pages.advice[2:] == [(mmap.MADV_RANDOM,)]
