"""`bpcore train`: files and tables that it refuses."""

import gzip
import os
from pathlib import Path

import pytest

from bpcore.cli import main, outputs, rows, show

TRAIN = ["--target", "y", "--quick", "--epochs", "2", "--out", "m.bpc"]


BAD = {
    # text of the file, further arguments, message
    "no such target": ("x,z\n1,2\n", [], "no column 'y'; it has 'x', 'z'"),
    "a target of another case": ("x,Yes\n1,2\n", ["--target", "yes"], "is it 'Yes'?"),
    "a column to drop that is not there": ("x,y\n1,2\n", ["--drop", "a"], "column 'a'"),
    "empty": ("", [], "d.csv: the file is empty"),
    "empty lines": ("\n\n", [], "d.csv: the file is empty"),
    "header only": ("x,y\n", [], "d.csv has no rows"),
    "one row": ("x,y\n1,2\n", [], "the table must have at least 2 rows"),
    "one column": ("y\n1\n2\n", [], "no columns to learn from besides the target"),
    "all columns dropped": ("x,y\n1,2\n", ["--drop", "x"], "no columns to learn from"),
    "all targets missing": ("x,y\n1,\n2,\n", [], "all values of the target 'y' are"),
    "one class": ("x,y\n1,a\n2,a\n", [], "must have at least two classes; got one: a"),
    "a class in every row": ("x,y\n1,a\n2,b\n3,c\n", [], "another class in every row"),
    "texts as numbers": (
        "x,y\n1,a\n2,7\n", ["--task", "regression"], "must have numbers; got 'a'",
    ),
    "numbers as classes": (
        "x,y\n1,1.5\n2,7\n", ["--task", "classification"],
        "must have classes; got numbers such as 1.5",
    ),
    "an infinite target": ("x,y\n1,inf\n2,0.5\n3,1\n", [], "must have finite numbers"),
    "an infinite number": ("x,y\n1,1\ninf,0.5\n3,1\n", [], "column 'x'"),
    "dates": (
        "x,a day,y\n1,2024-01-31,1\n2,2024-02-01,2\n", [],
        "'a day'. Give what matters of them as columns of numbers",
    ),
    "dates and how to drop them": (
        "x,a day,y\n1,2024-01-31,1\n2,2024-02-01,2\n", [], "--drop 'a day'",
    ),
    "a target of dates": (
        "x,y\n1,2024-01-31\n2,2024-02-01\n", [], "target 'y' has dates or times",
    ),
    "too many fields": ("x,y\n1,2\n1,2,3\n", [], "d.csv, line 3: it has 3 fields"),
    "too few fields": ("x,y\n1,2\n\n3\n", [], "line 4: it has 1 field, but the first"),
    "too few after a quoted line": (
        'x,z,y\n"a\nb",1,2\n3,4\n', [], "d.csv, line 4: it has 2 fields",
    ),
    "a quote that does not end": (
        'x,y\n1,2\n"3,4\n5,6\n', [], "d.csv, line 3: a quote begins and does not end",
    ),
    "a long field": (
        f'x,y\n1,2\n"{"3" * 140_000}",4\n', [], "line 3: a field has more than 131,072",
    ),
    "a model": (
        b"\x50\x01" + bytes(6) + b'{"__metadata__"', [], "d.csv: it is a model, not",
    ),
    "a picture": (b"\x89PNG\r\n\x1a\n...", [], "d.csv: it is a picture, not a table"),
    "no header": ("1,2.5\n3,4\n", [], "must have the names of the columns; got numb"),
    "a name twice": ("x,x,y\n1,2,3\n", [], "two columns have the name 'x'"),
    "zero bytes": ("x,y\n1,\0\n", [], "d.csv, line 2: it is not a text"),
    "another encoding": (
        b"x,y\n1,2\nM\xfcller,2\n", [], "d.csv, line 3: it is not text in UTF-8 (byte",
    ),
    "another encoding, late": (
        b"x,y\n" + b"1,2\n" * 5000 + b"M\xfcller,2\n" + b"1,2\n" * 5000, [],
        "line 5002: it is not text in UTF-8 (byte 0xfc)",
    ),
    "a workbook": (b"PK\x03\x04...", [], "d.csv: it is a workbook"),
    "a gzip file cut short": (gzip.compress(b"x,y\n1,2\n" * 99)[:-9], [], "d.csv: "),
    "a damaged gzip file": (gzip.compress(b"x,y\n")[:10] + b"\xff" * 9, [], "d.csv"),
    "a number of 400 digits": (
        f"x,y\n1,1\n{'9' * 400},2\n3,4\n", [], "'x' must have numbers; got 99999",
    ),
    "Parquet that is damaged": (b"PAR1...", [], ""),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_data(case, here, capsys):
    text, arguments, message = BAD[case]
    if b"PAR1" in (text if isinstance(text, bytes) else b""):
        pytest.importorskip("pyarrow")
    (here / "d.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert main(["train", "d.csv", *TRAIN, *arguments]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bpcore: error: ") and err.count("\n") == 1
    assert message in err
    assert os.listdir(here) == ["d.csv"]


def test_a_line_of_a_small_compressed_file_may_be_long(here, monkeypatch, capsys):
    monkeypatch.setattr(rows, "MOST", 1000)
    with gzip.open("long.csv", "wb") as file:
        file.write(b"a,b\n1," + b"2" * 10**6 + b"\n")
    assert main(["train", "long.csv", "--target", "b", "--out", "m.bpc"]) == 1
    assert (
        "long.csv, line 2: it has 1,000 characters or more" in capsys.readouterr().err
    )


@pytest.mark.parametrize("header", ["{0},{0}", "{0},b"])
def test_messages_of_long_names_are_short(header, here, capsys):
    Path("names.csv").write_text(header.format("x" * 10**5) + "\n1,2\n")
    target = "y" * 10**5
    assert main(["train", "names.csv", "--target", target, "--out", "m.bpc"]) == 1
    assert len(capsys.readouterr().err) < 1200


def test_tables_and_lines_are_short(capsys):
    show.table("t" * 10**5, ["h" * 10**5] * 100, [["c" * 10**5] * 100] * 1000)
    show.line("l" * 10**5)
    assert len(capsys.readouterr().out) < 500_000


def test_a_picture_is_written_whole(here):
    class Figure:
        def savefig(self, file, **settings):
            file.write(b"half")
            raise OSError("no space")

    Path("p.png").write_bytes(b"old")
    with pytest.raises(OSError, match="no space"):
        outputs.save_figure(Figure(), "p.png")
    assert Path("p.png").read_bytes() == b"old" and len(os.listdir()) == 1
