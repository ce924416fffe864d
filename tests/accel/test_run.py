"""``python -m bpcore.accel`` runs programs as ``python`` does."""

import subprocess
import sys

import pytest

STATE = """\
import sys
print(sys.argv, sys.path, __name__, globals().get("__file__"), __spec__ is None)
print(sorted(vars()), sys.modules["__main__"].sys is sys)
"""
#: Takes the place of scikit-learn, which takes a second to import.
ABSENT = "raise ImportError('none here')"
WITHOUT = (
    "bpcore.accel: scikit-learn's own MLPClassifier and MLPRegressor stay: "
    "scikit-learn cannot be imported (none here)\n"
)


def run(arguments, folder):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def both(arguments, folder):
    """What python gives, and what it gives under bpcore.accel."""
    plain = run(arguments, folder)
    own = run(["-m", "bpcore.accel", *arguments], folder)
    assert own.stderr.startswith(WITHOUT)
    own.stderr = own.stderr.removeprefix(WITHOUT)
    assert own.returncode == plain.returncode
    return plain, own


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "state.py").write_text(STATE)
    (tmp_path / "sklearn.py").write_text(ABSENT)
    return tmp_path


def test_a_script(folder):
    plain, own = both(["programs/state.py", "-m", "--x", ""], folder)
    assert own.stdout.splitlines()[0] == plain.stdout.splitlines()[0]
    assert own.stdout.splitlines()[1].endswith("True")
    assert own.stderr == plain.stderr == ""


def test_code(folder):
    plain, own = both(["-c", STATE, "a", "-b"], folder)
    assert own.stdout.splitlines()[0] == plain.stdout.splitlines()[0]


def test_a_module(folder):
    plain, own = both(["-m", "programs.state", "a", "-b"], folder)
    assert own.stdout.splitlines()[0] == plain.stdout.splitlines()[0]


def test_a_folder(folder):
    (folder / "programs" / "__main__.py").write_text("import state")
    _, own = both(["programs", "a"], folder)
    assert own.stdout.startswith("['programs', 'a'] ['programs', ")


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(3)",
        "raise SystemExit('no')",
        "def f():\n    1 / 0\n\ntry:\n    f()\nfinally:\n    {}['k']",
        "x = (",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; "
        "time.sleep(9)",
        "import atexit, sys; atexit.register(lambda: print(__name__, len(sys.argv)))",
        "import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    ],
    ids=["exit", "exit text", "error", "syntax", "interrupt", "atexit", "pickle"],
)
def test_exit_status_and_output(code, folder):
    (folder / "program.py").write_text(code)
    plain, own = both(["program.py"], folder)
    assert own.stdout == plain.stdout
    assert own.stderr == plain.stderr


def test_the_traceback_of_a_module_begins_there(folder):
    (folder / "program.py").write_text("1 / 0")
    _, own = both(["-m", "program"], folder)
    first, second, *_ = own.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert second == f'  File "{folder / "program.py"}", line 1, in <module>'


def test_the_future_of_the_runner_is_not_that_of_the_program(folder):
    code = "def f(x: int): pass\nprint(f.__annotations__)"
    plain, own = both(["-c", code], folder)
    assert own.stdout == plain.stdout == "{'x': <class 'int'>}\n"


def test_no_such_script(folder):
    plain = run(["absent.py"], folder)
    own = run(["-m", "bpcore.accel", "absent.py"], folder)
    assert (own.returncode, own.stderr) == (plain.returncode, plain.stderr)


@pytest.mark.parametrize("arguments", [[], ["-m"], ["-c"], ["-x", "a.py"]], ids=str)
def test_wrong_arguments(arguments, folder):
    own = run(["-m", "bpcore.accel", *arguments], folder)
    assert own.returncode == 2
    assert own.stderr.startswith("usage: python -m bpcore.accel script")


def test_help(folder):
    own = run(["-m", "bpcore.accel", "--help"], folder)
    assert own.returncode == 0 and own.stdout.startswith("usage: ")


def test_the_program_uses_the_drop_ins(tmp_path):
    code = (
        "from sklearn.neural_network import MLPRegressor\n"
        "import bpcore.sklearn\n"
        "print(issubclass(MLPRegressor, bpcore.sklearn.MLPRegressor))"
    )
    own = run(["-m", "bpcore.accel", "-c", code], tmp_path)
    assert (own.stdout, own.returncode) == ("True\n", 0)
    assert own.stderr == (
        "bpcore.accel: MLPClassifier and MLPRegressor of sklearn.neural_network "
        "are bpcore's now\n"
    )


def test_importing_needs_no_scikit_learn(folder):
    code = "import bpcore.accel, sys; bpcore.accel.uninstall(); print(*sys.modules)"
    assert "sklearn" not in run(["-c", code], folder).stdout.split()
