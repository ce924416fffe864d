"""Builds the compiled modules; the kernels in C once per instruction set.

``csrc/kernels.c`` is compiled several times with different target flags, each time into
a separate object file.  All are linked into ``bpcore._kernels``, and
``bpcore/engine/dispatch.py`` chooses one at import.

Environment: ``BPCORE_WERROR=1`` turns compiler warnings into errors (the project's own
builds), ``BPCORE_DEBUG=1`` checks bounds and adds the address and undefined-behaviour
sanitizers.
"""

import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError
from setuptools.modified import newer_group

DEBUG = os.environ.get("BPCORE_DEBUG") == "1"
WERROR = os.environ.get("BPCORE_WERROR") == "1"

# instruction set: (processor family, compiler flags), the best first.  The flags name
# features, since older compilers do not have the levels' names.
X86_64_V2 = ["-O3", "-msse4.2", "-mpopcnt"]
X86_64_V3 = [*X86_64_V2, "-mavx2", "-mfma", "-mbmi", "-mbmi2"]
X86_64_V4 = [*X86_64_V3, "-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq"]
X86_64_V4 += ["-mavx512vl", "-mprefer-vector-width=512"]
INSTRUCTION_SETS = {
    "x86_64_v4": ("x86_64", X86_64_V4),
    "x86_64_v3": ("x86_64", X86_64_V3),
    "x86_64_v2": ("x86_64", X86_64_V2),
    "arm64": ("arm64", ["-O3"]),
}
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

# Flags that fix the bits, whatever CFLAGS has: no reordering, and only the fused
# multiply-adds written in the source.
BITS = ["-fno-fast-math", "-ffp-contract=off"]
# Fast-math flags in a user's CFLAGS reach the linker too, where they would turn off
# subnormal numbers for the whole process.
LINK_FLAGS = ["-O3", "-pthread", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
GNU_FLAGS = ["-std=gnu11", "-fno-strict-aliasing", "-pthread", "-g0", *BITS]
MSVC_FLAGS = ["/O2", "/std:c11", "/fp:precise"]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-function", "-Wno-unused-parameter"]
SANITIZERS = ["-O1", "-g1", "-fsanitize=address,undefined", "-fno-omit-frame-pointer"]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "cdivision": True,
    "freethreading_compatible": True,
}

# Kernels are built for one architecture; python.org's Python would build for two.
if sys.platform == "darwin":
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")

KERNELS = "bpcore._kernels"
CSRC = Path("src/bpcore/csrc")
# Files that a module may include: if one changes, the module is rebuilt.
INCLUDED = [*CSRC.glob("*.[ch]"), *Path("src/bpcore").rglob("*.p[x][di]")]


class BuildExt(build_ext):
    """Adds compiler flags, and compiles the kernels for each instruction set."""

    def build_extensions(self):
        self.gnu = self.compiler.compiler_type != "msvc"
        self.check_compiler()
        self.builds = self.possible_builds()
        for module in self.extensions:
            module.extra_compile_args = self.flags("-O2")
            if self.gnu:
                module.extra_link_args = [*LINK_FLAGS, *(SANITIZERS if DEBUG else [])]
            if module.name == KERNELS:
                linked = " ".join(f"X({isa})" for isa in self.builds)
                module.define_macros = [("BPCORE_BUILDS", linked)]
        super().build_extensions()

    def flags(self, *more):
        """Compiler flags; `more` is for GCC and Clang only."""
        if not self.gnu:
            return MSVC_FLAGS
        warnings = [*WARNINGS, "-Werror"] if WERROR else []
        return [*more, *GNU_FLAGS, *warnings, *(SANITIZERS if DEBUG else [])]

    def check_compiler(self):
        """Stop with one line where no compiler, or no header of Python, is found."""
        try:
            self.compile_probe("#include <Python.h>\n")
        except (CompileError, PlatformError) as error:
            raise CompileError(
                "no C compiler was found that builds for this Python: "
                "install a compiler and Python's headers, or install a wheel: "
                "pip install --only-binary :all: bpcore"
            ) from error

    def possible_builds(self):
        """{instruction set: flags} of the builds that this compiler can make."""
        machine = MACHINES.get(platform.machine().lower())
        builds = {}
        for isa, (needs, flags) in INSTRUCTION_SETS.items():
            if needs == machine:
                if self.gnu and self.compiles(machine, flags):
                    builds[isa] = flags
                else:
                    self.warn(f"no kernels for {isa}: not supported by this compiler")
        # Besides others, the scalar build is for the oldest processors: small code.
        return builds | {"scalar": ["-Os"] if builds else ["-O3"]}

    def build_extension(self, module):
        sources = [*module.sources, *module.depends]
        path = self.get_ext_fullpath(module.name)
        if module.name == KERNELS and (self.force or newer_group(sources, path)):
            with ThreadPoolExecutor(self.parallel) as pool:
                objects = pool.map(self.compile_kernels, self.builds)
                module.extra_objects = [*chain.from_iterable(objects)]
        super().build_extension(module)

    def compile_kernels(self, isa):
        """Compile the kernels for an instruction set; returns the object files."""
        flags = self.flags(*self.builds[isa])
        return self.compiler.compile(
            [str(CSRC / "kernels.c")],
            output_dir=os.path.join(self.build_temp, isa),
            macros=[
                (f"BPCORE_ISA_{isa.upper()}", None),
                ("BPCORE_COMPILER", self.quoted(self.compiler_version())),
                ("BPCORE_FLAGS", self.quoted(" ".join(flags))),
            ],
            extra_postargs=flags,
        )

    def compiles(self, machine, flags):
        """Whether the compiler has the flags, vector types and intrinsics."""
        header = {"x86_64": "immintrin.h", "arm64": "arm_neon.h"}[machine]
        try:
            self.compile_probe(
                f"#include <{header}>\n"
                "typedef float vec __attribute__((vector_size(16)));\n"
                "vec add(vec a, vec b) { return a + b; }\n",
                flags,
            )
        except CompileError:
            return False
        return True

    def compile_probe(self, code, flags=()):
        """Compile a few lines of C, whose object file is thrown away."""
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(code)
            self.compiler.compile(
                [str(probe)], output_dir=folder, extra_preargs=[*flags]
            )

    def compiler_version(self):
        command = getattr(self.compiler, "compiler", None)
        if command is None:
            return self.compiler.compiler_type
        output = subprocess.run(
            [command[0], "--version"], capture_output=True, text=True, check=False
        ).stdout
        return output.splitlines()[0] if output else command[0]

    def quoted(self, text):
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'\\"{text}\\"' if self.compiler.compiler_type == "msvc" else f'"{text}"'


def extension(name):
    """A compiled module."""
    source = f"src/{name.replace('.', '/')}.pyx"
    included = sorted(map(str, INCLUDED))
    return Extension(name, [source], include_dirs=["src/bpcore"], depends=included)


setup(
    ext_modules=cythonize(
        [
            extension("bpcore.engine.cpu"),
            extension("bpcore.engine.engine"),
            extension(KERNELS),
        ],
        build_dir="build/cython",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
        annotate=DEBUG,
        quiet=True,
    ),
    cmdclass={"build_ext": BuildExt},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
