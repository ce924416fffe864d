"""C compilers, and programs of headers that a network was written to."""

import shutil
import subprocess

import numpy as np
import pytest

WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror")

#: The program reads rows of every model, and writes their outputs.
MAIN = """
#include <stdio.h>
{includes}
#define RUN(name, real, rows, n_in, n_out) do {{ \\
    static real x[rows][n_in], out[rows][n_out]; \\
    if (fread(x, sizeof(x), 1, stdin) != 1) return 1; \\
    for (int i = 0; i < rows; i++) name##_predict(x[i], out[i]); \\
    fwrite(out, sizeof(out), 1, stdout); \\
    wrong += name##_self_test(); \\
}} while (0)
int main(void) {{
    int wrong = 0;
{runs}
    fprintf(stderr, "%d\\n", wrong);
    return 0;
}}
"""


def compiler(name):
    """The path of a compiler, or a skip."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def compiled(cc, source, folder, *flags):
    """The program of a source."""
    path, program = folder / "main.c", folder / "main"
    path.write_text(source)
    done = subprocess.run(
        [cc, *WARNINGS, "-o", str(program), str(path), *flags],  # libraries last
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return program


def outputs(cc, models, folder, *flags):
    """Outputs of {name: (n_in, n_out, X)} by their headers, and wrong self-tests."""
    includes, runs = [], []
    for name, (n_in, n_out, X) in models.items():
        includes.append(f'#include "{name}.h"')
        real = {"float32": "float", "float64": "double"}[X.dtype.name]
        runs.append(f"    RUN({name}, {real}, {len(X)}, {n_in}, {n_out});")
    source = MAIN.format(includes="\n".join(includes), runs="\n".join(runs))
    program = compiled(cc, source, folder, *flags)
    done = subprocess.run(
        [str(program)],
        input=b"".join(X.tobytes() for _, _, X in models.values()),
        capture_output=True,
        check=True,
    )
    found, at = {}, 0
    for name, (_, n_out, X) in models.items():
        count = len(X) * n_out
        out = np.frombuffer(done.stdout, X.dtype, count, at)
        found[name], at = out.reshape(len(X), n_out), at + out.nbytes
    assert at == len(done.stdout)
    return found, int(done.stderr)


def assert_same_bits(got, expected, what=""):
    """The same bits; any NaN is the same as another."""
    words = f"u{got.dtype.itemsize}"
    same = (got.view(words) == expected.view(words)) | (
        np.isnan(got) & np.isnan(expected)
    )
    assert same.all(), (what, got[~same][:5], expected[~same][:5])
