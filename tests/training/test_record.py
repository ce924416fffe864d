"""The record of a fit: compact, whole rows, and pickles of earlier versions."""

import copy
import pickle
import sys

import numpy as np

from bpcore.training.record import Record


def test_a_million_epochs_take_8_bytes_a_number():
    record = Record()
    for epoch in range(10_000):
        record.append(loss=epoch, lr=0.1, seconds=1.0)
    size = len(pickle.dumps(record))
    assert size < 10_000 * 3 * 8 + 1000
    columns = vars(record)["_columns"].values()
    assert sum(map(sys.getsizeof, columns)) < 10_000 * 3 * 8 * 1.2
    assert record.column("loss").tolist() == list(range(10_000))


def test_copies_and_pickles_go_their_own_way():
    record = Record()
    record.append(loss=1.0)
    for other in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
        other.append(loss=2.0)
        assert other.column("loss").tolist() == [1.0, 2.0] and len(record) == 1


def test_pickles_of_earlier_versions_have_lists():
    record = Record.__new__(Record)
    record.__setstate__({"_length": 2, "_columns": {"loss": [2.0, 1.0, 7.0]}})
    record.append(loss=0.5, lr=0.1)
    assert record.column("loss").tolist() == [2.0, 1.0, 0.5]
    np.testing.assert_array_equal(record.column("lr"), [np.nan, np.nan, 0.1])
