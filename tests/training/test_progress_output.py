"""Training goes on, with the same bits, where its progress cannot be shown."""

import gc
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import bpcore as bp
from helpers import recorded_bars

rng = np.random.default_rng(0)
X = rng.normal(size=(45, 3)).astype("float32")
LABELS = rng.integers(3, size=45)


def make():
    return bp.Network([3, 4, 3], loss="cross_entropy", optimizer=bp.Adam(0.01), rng=0)


class Failing(io.StringIO):
    """A standard error whose writes fail after some have succeeded."""

    encoding = "utf-8"

    def __init__(self, error, after=0):
        super().__init__()
        self.error, self.after, self.left = error, after, after

    def write(self, text):
        self.left -= 1
        self.flush()
        return super().write(text)

    def flush(self):
        if self.left < 0:
            # Another one every time: each refers to the frames that it went through.
            raise type(self.error)(*self.error.args)


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


class Nothing:
    """Not a stream at all."""


ERRORS = [
    BrokenPipeError(32, "Broken pipe"),
    ValueError("I/O operation on closed file."),
    OSError(28, "No space left on device"),
    OSError(5, "Input/output error"),
    BlockingIOError(11, "write could not complete without blocking"),
    UnicodeEncodeError("ascii", "█", 0, 1, "ordinal not in range(128)"),
    RuntimeError("of somebody's stream"),
    AttributeError("write"),
]
STREAMS = {
    "None": lambda: None,
    "closed": closed,
    "nothing": Nothing,
    **{
        f"{error!r} after {after}": lambda error=error, after=after: Failing(
            error, after
        )
        for error in ERRORS
        for after in (0, 1, 3, 8)
    },
}
#: How an epoch is run, so when progress is shown.
HOW = {
    "in the engine": {},
    "epoch by epoch": {"validation": (X, LABELS), "restore_best": True},
    "mini-batches": {"batch_callbacks": [lambda *_: None]},
}


@pytest.fixture(params=["tqdm", None], ids=["bar", "lines"])
def tqdm(request, monkeypatch):
    """Whether tqdm is installed; without a pause between two redraws."""
    if request.param is None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
        monkeypatch.setattr(
            "bpcore.training.progress.time.monotonic", iter(range(10**9)).__next__
        )
        return None
    module = pytest.importorskip("tqdm")
    init = module.tqdm.__init__
    monkeypatch.setattr(
        module.tqdm,
        "__init__",
        lambda self, *args, **how: init(self, *args, **{**how, "mininterval": 0}),
    )
    return module.tqdm


def assert_trains(**how):
    net, twin = make(), make()
    history = net.fit(X, LABELS, epochs=6, batch_size=8, **how)
    twin.fit(X, LABELS, epochs=6, batch_size=8, **how, progress=False)
    assert len(history) == 6
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def in_a_thread(call):
    """Fail, instead of waiting, if a lock is still held."""
    done = []
    thread = threading.Thread(target=lambda: done.append(call()), daemon=True)
    thread.start()
    thread.join(60)
    assert done


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", STREAMS)
def test_a_standard_error_that_fails(tqdm, monkeypatch, capsys, name, how):
    stream = STREAMS[name]()
    bars = recorded_bars(monkeypatch) if tqdm is not None else []
    monkeypatch.setattr(sys, "stderr", stream)
    assert_trains(**HOW[how])
    if isinstance(stream, Failing):
        text = stream.getvalue()
        writes = 1 if tqdm is None else 2  # at least
        assert stream.left < 0 or stream.after >= writes, "it did not fail"
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    in_a_thread(lambda: assert_trains(**HOW[how]))
    assert all(bar.disable for bar in bars)
    if isinstance(stream, Failing):
        assert stream.getvalue() == text  # silent from then on
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("how", HOW)
def test_a_standard_error_that_is_deleted(tqdm, monkeypatch, how, capsys):
    monkeypatch.delattr(sys, "stderr")
    assert_trains(**HOW[how])
    assert capsys.readouterr().out == ""


def test_a_standard_error_that_is_deleted_within_a_training(tqdm, monkeypatch, capsys):
    def delete(net, history):
        if len(history) == 2:
            monkeypatch.delattr(sys, "stderr")
        if len(history) == 6:
            monkeypatch.undo()

    assert_trains_once(delete)
    assert capsys.readouterr().out == ""


def assert_trains_once(callback):
    history = make().fit(X, LABELS, epochs=6, batch_size=8, callbacks=[callback])
    assert len(history) == 6


def test_it_may_be_closed_within_a_training(tqdm, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)

    def close(net, history):
        if len(history) == 2:
            stream.close()
            monkeypatch.setattr(sys, "stderr", None)

    assert_trains(callbacks=[close])


def test_an_interrupt_while_it_is_written_passes(tqdm, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Failing(KeyboardInterrupt(), 2))
    net = make()
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, LABELS, epochs=50, callbacks=[lambda net, history: None])
    assert net.history is None or len(net.history) <= 50
    in_a_thread(lambda: net.train_step(X, LABELS))


# --- tqdm itself ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["__init__", "__new__", "update", "refresh", "close", "display",
             "set_description", "set_postfix_str", "get_lock", "__del__"]
)  # fmt: skip
@pytest.mark.parametrize("how", HOW)
def test_a_tqdm_that_fails(monkeypatch, capsys, name, how):
    tqdm = pytest.importorskip("tqdm").tqdm
    calls = []

    def fail(*args, **settings):
        calls.append(name)
        raise RuntimeError("of tqdm's")

    own = classmethod(fail) if name == "get_lock" else fail
    monkeypatch.setattr(tqdm, name, own)
    assert_trains(**HOW[how])
    gc.collect()
    assert calls
    monkeypatch.undo()
    in_a_thread(lambda: assert_trains(**HOW[how]))


@pytest.mark.parametrize("module", [type(sys)("tqdm"), object()], ids=["empty", "none"])
def test_a_tqdm_that_is_none(monkeypatch, capsys, module):
    monkeypatch.setitem(sys.modules, "tqdm", module)
    assert_trains()


# --- a process of its own -------------------------------------------------------------

CODE = """
import sys
{before}
import numpy as np, bpcore as bp
X = np.random.default_rng(0).normal(size=(45, 3))
net = bp.Network([3, 4, 1], rng=0)
history = net.fit(X, X[:, 0], epochs=300, validation=(X, X[:, 0]),
                  callbacks=[lambda net, history: {within}])
sys.stdout.write(str(len(history)))
"""
WITHOUT_TQDM = "sys.modules['tqdm'] = None"
#: An ending of standard error before and within training.
ENDS = {
    "None": ("sys.stderr = None", "None"),
    "closed": ("sys.stderr.close()", "None"),
    "closed within": ("", "len(history) == 9 and sys.stderr.close()"),
    "the descriptor closed": ("import os; os.close(2)", "None"),
    "the descriptor within": ("import os", "len(history) == 9 and os.close(2)"),
    "a broken pipe": (
        "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 2)",
        "None",
    ),
    "ascii": ("sys.stderr.reconfigure(encoding='ascii', errors='strict')", "None"),
}


def environment(buffered):
    """Variables of a process whose standard error is buffered, or not."""
    kept = {key: it for key, it in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return kept if buffered else kept | {"PYTHONUNBUFFERED": "1"}


BUFFERED = pytest.mark.parametrize("buffered", [True, False], ids=["buffer", "none"])


@BUFFERED
@pytest.mark.parametrize("shown", ["bar", "lines"])
@pytest.mark.parametrize("name", ENDS)
def test_python_ends_without_an_error(shown, name, buffered):
    before, within = ENDS[name]
    if shown == "lines":
        before += "\n" + WITHOUT_TQDM
    else:
        pytest.importorskip("tqdm")
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before, within=within)],
        env=environment(buffered),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("300", 0), done.stderr
    for word in ("Traceback", "Error", "ignored"):
        assert word not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe of POSIX")
@BUFFERED
@pytest.mark.parametrize("shown", ["bar", "lines"])
def test_the_reader_of_a_pipe_goes_away(shown, buffered):
    before = WITHOUT_TQDM if shown == "lines" else ""
    within = "__import__('time').sleep(0.002)"
    code = CODE.format(before=before, within=within)
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment(buffered),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stderr.read(1)
        process.stderr.close()
        assert process.stdout.read() == b"300"
    assert process.returncode == 0


class Tee:
    """A standard error that also keeps what is written."""

    def __init__(self, stream):
        self.stream, self.kept = stream, []

    def write(self, text):
        self.kept.append(text)
        return self.stream.write(text)

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.mark.parametrize("how", HOW)
def test_a_wrapper_of_standard_error_is_written_to(tmp_path, monkeypatch, how):
    with open(tmp_path / "text", "w") as file:
        monkeypatch.setattr(sys, "stderr", Tee(file))
        assert_trains(**HOW[how])
        kept = "".join(sys.stderr.kept)
    assert "epoch 1/" in kept or "epoch 4/" in kept


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_what_standard_error_still_holds_is_written_first(
    tmp_path, monkeypatch, encoding
):
    path = tmp_path / "text"
    with open(path, "w", encoding=encoding) as file:
        monkeypatch.setattr(sys, "stderr", file)
        print("before ", end="", file=sys.stderr)
        assert_trains()
        print("after", file=sys.stderr)
    text = path.read_text(encoding=encoding)
    assert text.startswith("before ") and text.endswith("after\n")
    assert "epoch" in text and "\ufeff" not in text


def test_text_of_tqdm_stands_on_its_own_line(tmp_path, monkeypatch):
    tqdm = pytest.importorskip("tqdm").tqdm
    path = tmp_path / "text"
    with open(path, "w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        say = [lambda net, history: tqdm.write("an epoch", file=sys.stderr)]
        assert_trains(callbacks=say)
    assert b"\ran epoch\n" in path.read_bytes()
