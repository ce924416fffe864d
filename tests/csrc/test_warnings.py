"""The C code that is written by hand gives no warning, of GCC and of Clang."""

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "bpcore"
FLAGS = (
    *("-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Wconversion", "-Wshadow"),
    *("-Wno-unused-parameter", "-Wno-unused-function", "-Werror", f"-I{SOURCE}"),
)
BUILD = (
    *("-DBPCORE_SMALL", "-DBPCORE_ISA_SCALAR"),
    *('-DBPCORE_COMPILER=""', '-DBPCORE_FLAGS=""'),
)
#: What only the modules in Cython include.
HEADERS = ("clock", "cpu", "loans", "lock", "memory", "random", "states", "team")

pytestmark = pytest.mark.skipif(
    not (SOURCE / "csrc").exists(), reason="needs the source of the kernels"
)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("part", ["kernels", "headers"])
def test_no_warnings(tmp_path, compiler, part):
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    path = SOURCE / "csrc" / "kernels.c"
    if part == "headers":
        path = tmp_path / "headers.c"
        lines = [f'#include "csrc/{name}.h"' for name in HEADERS]
        calls = "bpcore_init_team(); bpcore_init_locks();"
        path.write_text("\n".join([*lines, f"void use(void) {{ {calls} }}", ""]))
    subprocess.run([compiler, *FLAGS, *BUILD, path], check=True)


def test_a_warning_is_an_error(tmp_path):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no compiler is installed")
    path = tmp_path / "narrow.c"
    path.write_text("int narrow(long x) { return x; }\n")
    assert subprocess.run([compiler, *FLAGS, path], check=False).returncode != 0
