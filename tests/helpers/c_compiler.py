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
#define RUN(name, x_real, out_real, rows, n_in, n_out) do {{ \\
    static x_real x[rows][n_in]; \\
    static out_real out[rows][n_out]; \\
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


REAL = {"float32": "float", "float64": "double"}


def outputs(cc, models, folder, *flags):
    """Outputs of {name: (rows X, outputs of this shape)}, and wrong self-tests."""
    includes, runs = [], []
    for name, (X, out) in models.items():
        includes.append(f'#include "{name}.h"')
        reals = f"{REAL[X.dtype.name]}, {REAL[out.dtype.name]}"
        sizes = f"{len(X)}, {X.shape[1]}, {out.shape[1]}"
        runs.append(f"    RUN({name}, {reals}, {sizes});")
    source = MAIN.format(includes="\n".join(includes), runs="\n".join(runs))
    program = compiled(cc, source, folder, *flags)
    rows = b"".join(X.tobytes() for X, _ in models.values())
    done = subprocess.run([str(program)], input=rows, capture_output=True, check=True)
    found, at = {}, 0
    for name, (_, out) in models.items():
        found[name] = np.frombuffer(done.stdout, out.dtype, out.size, at)
        found[name] = found[name].reshape(out.shape)
        at += out.nbytes
    assert at == len(done.stdout)
    return found, int(done.stderr)


def assert_same_bits(got, expected, what=""):
    """The same bits; any NaN is the same as another."""
    words = f"u{got.dtype.itemsize}"
    same = (got.view(words) == expected.view(words)) | (
        np.isnan(got) & np.isnan(expected)
    )
    assert same.all(), (what, got[~same][:5], expected[~same][:5])
