"""What Callgrind writes is read, and belongs to the kernel that was counted."""

import pytest
from bench import cache, callgrind
from bench.layer import Layer

#: The beginning and the end of a file that it wrote.
WRITTEN = """\
# callgrind format
version: 1
creator: callgrind-3.19.0
pid: 5459
cmd: python -m bench.cache_driver float32 200x784x100
part: 4

desc: D1 cache: 32768 B, 64 B, 8-way associative
desc: LL cache: 524288 B, 64 B, 8-way associative
desc: Timerange: Basic block 100 - 200
desc: Trigger: --dump-before=getppid

positions: line
events: Ir Dr Dw I1mr D1mr D1mw ILmr DLmr DLmw
summary: {}


fl=(20) ./string/../sysdeps/x86_64/multiarch/strchr.S
fn=(2448)
35 93 0 0 1
totals: 4722260 1620993 41806 18683 310885 3147 760 31090 1457
"""


def counts(*numbers):
    return callgrind.parse(WRITTEN.format(" ".join(map(str, numbers))))


def test_the_summary_is_read():
    found = counts(4609900, 1730153, 45006, 540, 328828, 3347, 539, 31220, 1548)
    assert found["Ir"] == 4609900
    assert (found["D1mr"], found["D1mw"]) == (328828, 3347)
    assert (found["DLmr"], found["DLmw"]) == (31220, 1548)
    assert len(found) == 9


def test_zeros_at_the_end_are_left_out():
    assert counts(945, 280, 154, 7, 6, 1, 7, 2)["DLmw"] == 0


@pytest.mark.parametrize("text", ["", "events: Ir\n", "summary: 10\n"])
def test_a_file_without_totals_is_refused(text):
    with pytest.raises(callgrind.Unavailable, match="no events and summary"):
        callgrind.parse(text)


def test_every_kernel_has_the_counts_of_its_second_call(monkeypatch):
    """The vectors of AVX2 have eight float32: 8 x 8 x 8 / 8 = 64 multiply-adds."""
    start, mark = counts(10**9), counts(100, 0, 0, 0, 3, 1, 0, 1, 1)
    calls = [
        counts(number, 0, 0, 0, number // 10, 4, 0, 5, 1)
        for number in (900, 740, 1900, 1380, 2900, 2020)
    ]
    asked = []

    def run(*arguments):
        asked.append(arguments)
        return [start, mark, *calls]

    monkeypatch.setattr(callgrind, "run", run)
    caches = {"D1": "32768,8,64", "LL": "524288,8,64"}
    found = cache.count(["8x8x8"], "float32", "x86_64_v3", caches)
    driver = "bench.cache_driver"
    assert asked == [(driver, ["float32", "8x8x8"], "x86_64_v3", caches)]
    assert [result["operation"] for result in found] == [
        "forward",
        "propagate",
        "update",
    ]
    assert [result["instructions"] for result in found] == [640, 1280, 1920]
    assert [result["instructions_per_1000"] for result in found] == [1e4, 2e4, 3e4]
    assert found[0]["d1_misses"] == 74 + 4 - 4
    assert found[0]["l2_misses"] == 4
    assert "8x8x8" in cache.table(found)


def test_parts_that_do_not_fit_are_refused(monkeypatch):
    monkeypatch.setattr(callgrind, "run", lambda *arguments: [counts(1)] * 7)
    with pytest.raises(callgrind.Unavailable, match="7 parts, for 3 kernels"):
        cache.count(["8x8x8"], "float32", "x86_64_v3", {})


def test_without_valgrind_a_message_says_so(monkeypatch):
    monkeypatch.setattr(callgrind.shutil, "which", lambda program: None)
    with pytest.raises(callgrind.Unavailable, match="not installed"):
        callgrind.run("bench.cache_driver", [], "x86_64_v3", {})


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--isa", "x86_64_v4"], "does not know x86_64_v4"),
        (["256x2048x2048"], "more than 70,000,000"),
        (["256"], "write as in 32x784x128"),
    ],
)
def test_what_cannot_be_counted_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        cache.parser().parse_args(arguments)
    assert message in capsys.readouterr().err


def test_the_layers_of_the_command_are_small_enough():
    for sizes in cache.LAYERS:
        assert Layer.of(sizes, "float32").multiply_adds <= cache.MOST
