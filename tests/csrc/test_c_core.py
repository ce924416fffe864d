"""The C core alone, as programs: other compilers, systems and numbers of threads.

``digests.c`` prints digests of what the kernels compute, ``threads.c`` checks the
thread team.  Both are built for this machine; for Windows if zig and wine are
installed, and as WebAssembly if zig and wasmtime are.  The bits must be the same.
"""

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bpcore as bp
from bpcore.engine import dispatch
from bpcore.engine.engine import data_cache, supported

HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src" / "bpcore"
THREADS = ["1", "2", "4"]

pytestmark = pytest.mark.skipif(
    not (SOURCE / "csrc").exists(), reason="needs the source of the kernels"
)


class Target:
    """A compiler for a system, and the instruction sets that it builds."""

    def __init__(self, folder, compiler, isas, suffix=""):
        self.folder, self.compiler = folder, compiler
        self.isas, self.suffix = isas, suffix

    def program(self, name):
        """The path of the program `name`.c, compiled."""
        path = self.folder / f"{name}{self.suffix}"
        builds = " ".join(f"X({isa})" for isa in self.isas)
        includes = [f"-DBPCORE_BUILDS={builds}", f"-I{SOURCE}"]
        objects = self.kernels() if name == "digests" else []
        libraries = ["-lm"] if self.suffix == "" else []
        self.compile(
            *["-O1", "-std=gnu11", *includes, HERE / f"{name}.c", *objects],
            *["-o", path, *libraries],
        )
        return path

    def kernels(self):
        """The kernels of each instruction set, compiled."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.compile_kernels, self.isas))

    def compile_kernels(self, isa):
        """With the flags of the package, but -O1: it takes half the time of -O3."""
        path = self.folder / f"{isa}.o"
        flags = bp.kernels.BUILDS[isa]["flags"].replace("-pthread", "").split()
        macros = [f"-DBPCORE_ISA_{isa.upper()}"]
        macros += ['-DBPCORE_COMPILER=""', '-DBPCORE_FLAGS=""']
        source = SOURCE / "csrc" / "kernels.c"
        self.compile(*flags, "-O1", *macros, "-c", source, "-o", path)
        return path

    def compile(self, *arguments):
        subprocess.run([*self.compiler, *map(str, arguments)], check=True)


def output(*command, **settings):
    """The lines that a program prints; it must succeed, and not wait for ever."""
    settings |= {"capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([*map(str, command)], check=True, **settings)
    return done.stdout.splitlines()


def digests(lines, isa, threads):
    """{(dtype, kernel): digest} of one instruction set and number of threads."""
    words = [line.split() for line in lines]
    return {(w[1], w[3]): w[4] for w in words if w[0] == isa and w[2] == threads}


def zig():
    """The command of zig's C compiler, or skip."""
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    if shutil.which("zig"):
        return ["zig", "cc"]
    pytest.skip("needs zig, for example `pip install ziglang`")


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """The C compiler at hand; the best instruction set and the scalar one."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if sys.platform == "win32" or not shutil.which(compiler[0]):
        pytest.skip("needs a C compiler with the options of GCC")
    isas = list(dict.fromkeys([dispatch.available[0], "scalar"]))
    return Target(tmp_path_factory.mktemp("native"), [*compiler, "-pthread"], isas)


@pytest.fixture(scope="module")
def printed(native):
    """The digests of this machine, as they are printed."""
    return output(native.program("digests"), *THREADS)


def test_digests(native, printed):
    """They depend neither on the instruction set nor on the number of threads."""
    wanted = digests(printed, "scalar", "1")
    assert len(wanted) == 2 * 5
    for isa in native.isas:
        for threads in THREADS:
            given = digests(printed, isa, threads)
            if isa == "x86_64_v2":  # rounds every product: the one exception
                assert given == digests(printed, isa, "1") != wanted
            else:
                assert given == wanted


def test_threads_and_processor(native):
    *caches, features = output(native.program("threads"), *THREADS)
    assert caches == [
        "cache {}: {} bytes, {} ways".format(level, *data_cache(level))
        for level in (1, 2)
    ]
    assert features == ", ".join(
        f"{isa} {supported()[isa]:d}"
        for isa in ("x86_64_v2", "x86_64_v3", "x86_64_v4", "arm64")
    )


@pytest.fixture(scope="module")
def windows(native, tmp_path_factory):
    """Windows on x86_64, and the command that runs its programs."""
    wine = shutil.which("wine64") or shutil.which("wine")
    if not wine or platform.machine() != "x86_64":
        pytest.skip("needs wine on x86_64")
    compiler = [*zig(), "-target", "x86_64-windows-gnu", "-mcpu=x86_64"]
    folder = tmp_path_factory.mktemp("windows")
    settings = {"WINEPREFIX": str(folder / "prefix"), "WINEDEBUG": "-all"}
    target = Target(folder, compiler, native.isas, ".exe")
    yield target, lambda *command: output(wine, *command, env=os.environ | settings)
    shutil.rmtree(folder, ignore_errors=True)  # the prefix is large


def test_digests_on_windows(windows, printed):
    target, run = windows
    assert run(target.program("digests"), *THREADS) == printed


def test_threads_and_processor_on_windows(windows, native):
    """The same processor, by the same instructions."""
    target, run = windows
    wanted = output(native.program("threads"), *THREADS)
    assert run(target.program("threads"), *THREADS) == wanted


@pytest.fixture(scope="module")
def webassembly(tmp_path_factory):
    """WebAssembly, which has no threads and no vectors here, and what runs it."""
    wasmtime = pytest.importorskip("wasmtime")
    folder = tmp_path_factory.mktemp("wasm")

    def run(*command):
        config = wasmtime.WasiConfig()
        config.argv, config.stdout_file = [*map(str, command)], folder / "printed"
        config.inherit_stderr()
        store = wasmtime.Store()
        store.set_wasi(config)
        linker = wasmtime.Linker(store.engine)
        linker.define_wasi()
        module = wasmtime.Module.from_file(store.engine, str(command[0]))
        linker.instantiate(store, module).exports(store)["_start"](store)
        return (folder / "printed").read_text().splitlines()

    return Target(folder, [*zig(), "-target", "wasm32-wasi"], ["scalar"], ".wasm"), run


def test_digests_in_webassembly(webassembly, printed):
    target, run = webassembly
    given = digests(run(target.program("digests"), "1"), "scalar", "1")
    assert given == digests(printed, "scalar", "1")


def test_team_and_clock_in_webassembly(webassembly):
    target, run = webassembly
    assert run(target.program("threads"), "1")[-1] == (
        "x86_64_v2 0, x86_64_v3 0, x86_64_v4 0, arm64 0"
    )
