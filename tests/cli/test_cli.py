"""The command line: its output, its errors and its exit codes."""

import importlib.util
import os
import subprocess
import sys
import warnings

import click
import pytest

import bpcore
from bpcore.cli import demo_training as demo
from bpcore.cli import main
from bpcore.cli.commands import bpcore as commands
from bpcore.cli.outputs import mark_written


def python(*arguments):
    command = [sys.executable, *arguments]
    # Buffered, as users have it: a broken pipe then shows only when flushing.
    env = {**os.environ, "PYTHONUNBUFFERED": ""}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


#: Arguments that are right, but for the files.
TRAIN = ["train", "a.csv", "--target", "y", "--out", "a.bpc"]


# --- what it says ---


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"bpcore {bpcore.__version__}\n"


def test_module_is_the_command():
    done = python("-m", "bpcore", "--version")
    assert done.returncode == 0
    assert done.stdout == f"bpcore {bpcore.__version__}\n"


def test_config(capsys):
    bpcore.show_config()
    shown = capsys.readouterr().out
    assert main(["config"]) == 0
    assert capsys.readouterr().out == shown
    assert bpcore.config()["isa"] in shown


def test_without_arguments_it_helps(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "demo" in out
    assert "config" in out


@pytest.mark.parametrize("name", commands.commands)
def test_help_ends_with_examples(name, capsys):
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert main([name, "-h"]) == 0
    assert capsys.readouterr().out == text
    _, examples = text.split("Examples:\n")
    lines = [line for line in examples.split("\n") if line]
    assert len(lines) in (2, 3)
    assert all(f"bpcore {name}" in line for line in lines)


@pytest.mark.parametrize("name", commands.commands)
def test_examples_have_the_options_that_there_are(name):
    """Each line is parsed, though its files are not there."""
    command = commands.commands[name]
    for line in command.epilog.split("\n")[2:]:
        for part in line.split("|"):
            _, found, arguments = part.partition(f"bpcore {name}")
            if found:
                words = arguments.split(">")[0].split()
                with command.make_context(name, words) as context:
                    assert isinstance(context, click.Context)


def test_quick_commands_import_little():
    code = (
        "import sys; from bpcore.cli import main; "
        "main(['config']); main([]); main(['train', '--help']); "
        "slow = {'pandas', 'rich', 'matplotlib', 'bpcore.tabular', 'bpcore.datasets', "
        "'bpcore.cli.demo_training'}; print(slow & set(sys.modules))"
    )
    done = python("-c", code)
    assert done.stdout.endswith("set()\n"), done.stderr


@pytest.mark.parametrize("name", ["click", "rich"])
def test_without_the_extra(name):
    code = f"import sys; sys.modules[{name!r}] = None; import bpcore.__main__ as m; "
    done = python("-c", code + "sys.exit(m.main(['config']))")
    expected = 'the command line needs click and rich: pip install "bpcore[cli]"'
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"bpcore: {expected}\n"


# --- errors ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["dema"], "dema"),
        (["--no-such-option"], "--no-such-option"),
        (["config", "more"], "more"),
        (["demo", "--epochs", "0"], "'--epochs': 0 is not in the range x>=1"),
        (["demo", "--epochs", "ten"], "'ten'"),
        (["demo", "--seed", "-1"], "'--seed': -1 is not in the range"),
        (["demo", "--mnist"], "--mnist"),
        (["train"], "DATA"),
        (["train", "a.csv", "--out", "a.bpc"], "--target"),
        (["train", "a.csv", "--target", "y"], "--out"),
        ([*TRAIN, "--task", "guess"], "'guess'"),
        ([*TRAIN, "--test", "1"], "'--test'"),
        ([*TRAIN, "--models", "0"], "'--models'"),
        ([*TRAIN, "--decimal", ""], "'--decimal': it must be one sign"),
        ([*TRAIN, "--decimal", "x"], "'--decimal': it must be one sign"),
        ([*TRAIN, "--thousands", ",,"], "'--thousands': it must be one sign"),
        ([*TRAIN, "--decimal", ",", "--thousands", ","], "must be different"),
        ([*TRAIN, "--thousands", ".", "--decimal", "."], "must be different"),
        ([*TRAIN, "--drop", "y"], "--drop must not name the target"),
        ([*TRAIN, "--categorical", "y"], "--categorical must not name the target"),
        ([*TRAIN, "--drop", "x", "--categorical", "x"], "both name 'x'"),
        ([*TRAIN[:-1], "a.csv"], "--out must not be the file of the data"),
        pytest.param(
            [*TRAIN, "--plot", "a.docx"],
            "--plot must end in one of",
            marks=pytest.mark.skipif(
                importlib.util.find_spec("matplotlib") is None, reason="it draws"
            ),
        ),
        (["predict", "a.bpc"], "DATA"),
        (["predict", "a.bpc", "a.csv", "--chunk", "0"], "'--chunk'"),
        (["predict", "a.bpc", "a.csv", "--out", "./a.csv"], "--out must not be a.csv"),
        (["predict", "a.bpc", "a.csv", "--out", "a.bpc"], "--out must not be a.bpc"),
        (["inspect"], "MODEL"),
        (["convert", "a.bpc"], "RESULT"),
        (["convert", "a.txt", "a.bpc"], "SOURCE must end in one of .bpc"),
        (["convert", "a.bpc", "a.txt"], "RESULT must end in one of .bpc"),
        (["convert", "a.bpc", "a.keras"], "RESULT must end in one of .bpc"),
        (["convert", "a.bpc", "./a.bpc"], "the result must not be a.bpc itself"),
        (["export-c", "a.bpc", "a.c"], "HEADER must end in one of .h"),
        (["export-c", "a.bpc", "a.h", "--target", "y"], "--target needs --data"),
        ([*TRAIN, "--test", "nan"], "nan is no number"),
        ([*TRAIN[:-1], "a.onnx"], "--out must be a native file"),
    ],
)
def test_wrong_uses(arguments, message, capsys):
    assert main(arguments) == 2
    assert_one_line(capsys, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--mnist", "nowhere"], "nowhere is not a folder"),
        (["demo", "--mnist", "."], "looked for train-images-idx3-ubyte"),
        (["demo", "--mnist", "broken"], "train-images-idx3-ubyte: expected an IDX"),
        (["demo", "--picture", "nowhere/demo.png"], "nowhere"),
        (["demo", "--picture", "folder.png"], "folder.png"),
        (TRAIN, "a.csv: No such file or directory"),
        ([*TRAIN[:-1], "nowhere/a.bpc"], "no folder"),
        ([*TRAIN[:-1], "folder.png"], "cannot write the model to folder.png"),
        ([*TRAIN[:-1], os.devnull], f"cannot write the model to {os.devnull}: not a"),
        (["predict", "a.bpc", "a.csv"], "a.bpc: No such file or directory"),
        (["predict", "a.bpc", "a.csv", "--out", "nowhere/p.csv"], "no folder"),
        (["predict", "a.csv", "a.bpc"], "a.csv is a table, not a model"),
        (["inspect", "a.bpc"], "a.bpc: No such file or directory"),
        (["inspect", "broken/t10k-labels-idx1-ubyte"], "broken/t10k-labels"),
        (["convert", "a.bpc", "b.bpc"], "a.bpc: No such file or directory"),
        (["convert", "a.bpc", "nowhere/b.bpc"], "no folder"),
        (["export-c", "a.bpc", "b.h"], "a.bpc: No such file or directory"),
    ],
)
def test_failures(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_broken_mnist(tmp_path / "broken")
    (tmp_path / "folder.png").mkdir()
    assert main(arguments) == 1
    assert_one_line(capsys, message)


def assert_one_line(capsys, message):
    out, err = capsys.readouterr()
    assert out == ""  # in particular, nothing was trained
    assert err.startswith("bpcore: error: ")
    assert err.count("\n") == 1
    assert message in err


def write_broken_mnist(folder):
    folder.mkdir()
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte").write_bytes(b"no")


def test_os_errors_name_the_file(monkeypatch, capsys):
    def fail(*_):
        raise PermissionError(13, "Permission denied", "somewhere/file")

    monkeypatch.setattr(demo, "run", fail)
    assert main(["demo"]) == 1
    expected = "bpcore: error: somewhere/file: Permission denied\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("written", [[], ["a.bpc"], ["a.bpc", "a.png"]])
def test_an_interrupt_says_what_was_written(written, monkeypatch, capsys):
    def interrupt(*_):
        for path in written:
            mark_written(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupt)
    assert main(["demo"]) == 130
    what = " and ".join(written) or "nothing"
    assert capsys.readouterr().err == f"bpcore: interrupted; {what} was written\n"


def test_an_interrupt_while_commands_are_imported(monkeypatch, capsys):
    class Interrupting:
        def find_spec(self, name, *_):
            if name == "bpcore.cli.commands":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "bpcore.cli.commands")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    assert main(["config"]) == 130
    assert capsys.readouterr().err == "bpcore: interrupted; nothing was written\n"


def test_errors_of_the_librarys_are_not_hidden(monkeypatch):
    def fail(*_):
        raise AssertionError("a fault of ours")

    monkeypatch.setattr(demo, "run", fail)
    with pytest.raises(AssertionError, match="a fault of ours"):
        main(["demo"])


def test_warnings_have_one_line(monkeypatch, capsys):
    def warns(*_):
        warnings.warn("X['a'] has\nholes", UserWarning, stacklevel=1)

    monkeypatch.setattr(demo, "run", warns)
    assert main(["demo"]) == 0
    assert capsys.readouterr().err == "bpcore: warning: column 'a' has holes\n"


def test_a_missing_package_is_named(monkeypatch, capsys):
    def fail(*_):
        import pyarrow.parquet  # noqa: F401

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(demo, "run", fail)
    assert main(["demo"]) == 1
    assert_one_line(capsys, "needs pyarrow, which is not installed: pip")


@pytest.mark.parametrize("name", ["stdin", "stdout", "stderr"])
def test_streams_that_are_closed(name, monkeypatch):
    monkeypatch.setattr(sys, name, None)
    assert main(["config"]) == (1 if name == "stdout" else 0)
    assert main(["predict", "-", "-"]) == 1
    getattr(sys, name).close()


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
def test_a_closed_output_is_an_error():
    command = f"{sys.executable} -m bpcore config >&-"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "bpcore: error: standard output is closed\n"


def test_a_full_disk(monkeypatch, capsys):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(demo, "run", fail)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "bpcore: error: No space left on device\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_reader_that_has_gone():
    code = (
        "import os, sys; from bpcore.cli import main; "
        "read, write = os.pipe(); os.close(read); os.dup2(write, 1); "
        "sys.exit(main(['config']))"
    )
    done = python("-c", code)
    assert done.returncode == 1
    assert done.stderr == ""
