"""The record of a fit: compact, whole rows, no pickles."""

import copy
import pickle
import sys

import pytest

from bpcore.training.record import Record


def test_a_million_epochs_take_8_bytes_a_number():
    record = Record()
    for epoch in range(10_000):
        record.append(loss=epoch, lr=0.1, seconds=1.0)
    columns = vars(record)["_columns"].values()
    assert sum(map(sys.getsizeof, columns)) < 10_000 * 3 * 8 * 1.2
    assert record.column("loss").tolist() == list(range(10_000))


@pytest.mark.parametrize("store", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_record_is_stored_by_its_history_only(store):
    with pytest.raises(TypeError, match="a Record cannot be pickled"):
        store(Record())
