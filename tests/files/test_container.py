"""Places of arrays in a native file."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.native.container import Container, write_container
from bpcore.tabular import Regressor

F32 = np.dtype(np.float32)


def test_arrays_begin_at_multiples_of_the_size_of_their_numbers(tmp_path):
    flags = np.ones(3, np.bool_)
    named = {"a": flags, "b": np.ones(5, F32), "c": flags, "d": np.arange(3.0)}
    write_container(tmp_path / "a", {}, named, with_sums=True)
    with Container.opened(tmp_path / "a") as file:
        for name, array in named.items():
            place = file.data_at + file.entries[name].start
            assert place % array.dtype.itemsize == 0, name
            assert file.array(name).tobytes() == array.tobytes()


@pytest.mark.parametrize("n_models", [2, 3])
def test_every_network_of_an_ensemble_can_be_mapped(tmp_path, n_models):
    X = np.random.default_rng(0).random((40, 3))
    model = Regressor(
        n_models=n_models, epochs=1, hidden_layer_sizes=(5, 3), random_state=0
    )
    model.fit(X, X[:, 0]).save(tmp_path / "a.bpc")
    mapped = bp.load(tmp_path / "a.bpc", mmap=True)
    assert mapped.predict(X).tobytes() == model.predict(X).tobytes()


def test_a_map_of_misplaced_numbers_is_refused(tmp_path):
    write_container(tmp_path / "a", {}, {"a": np.ones(8, F32)})
    with Container.opened(tmp_path / "a") as file:
        start = file.entries["a"].start
        assert file.mapped(start, 3, F32).tolist() == [1, 1, 1]
        with pytest.raises(ValueError, match=r"multiple of 4 bytes.*without mmap"):
            file.mapped(start + 1, 3, F32)
