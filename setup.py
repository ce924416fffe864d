"""Builds the compiled modules: one engine, and the kernels once per instruction set.

``_kernels.pyx`` is translated to C once and that C is compiled several times with
different target flags, as ``bpcore._x86_64_v3._kernels`` and so on; the init symbol
depends only on the last part of the name.  ``bpcore/_dispatch.py`` picks one at import.

Environment: ``BPCORE_WERROR=1`` turns compiler warnings into errors (the project's own
builds), ``BPCORE_DEBUG=1`` checks bounds and adds the address and undefined-behaviour
sanitizers.
"""

import copy
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

DEBUG = os.environ.get("BPCORE_DEBUG") == "1"
WERROR = os.environ.get("BPCORE_WERROR") == "1"

# instruction set: (the machines that have it, flags that allow it).  Features by name,
# since compilers older than the names of the levels know them.
X86_64_V2 = ["-msse4.2", "-mpopcnt"]
X86_64_V3 = [*X86_64_V2, "-mavx2", "-mfma", "-mbmi", "-mbmi2"]
X86_64_V4 = [*X86_64_V3, "-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq"]
X86_64_V4 += ["-mavx512vl", "-mprefer-vector-width=512"]
INSTRUCTION_SETS = {
    "x86_64_v2": ("x86_64", X86_64_V2),
    "x86_64_v3": ("x86_64", X86_64_V3),
    "x86_64_v4": ("x86_64", X86_64_V4),
    "arm64": ("arm64", []),
}
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

# The bits are decided here, whatever CFLAGS says: no reordering, and only a fused
# multiply-add that is written out is one.
BITS = ["-fno-fast-math", "-ffp-contract=off"]
# A user's flags for fast arithmetic reach the linker too, where they would turn off
# denormal numbers for the whole process that imports us.
LINK_FLAGS = ["-O3", "-pthread", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
GNU_FLAGS = ["-O3", "-std=gnu11", "-fno-strict-aliasing", "-pthread", "-g0", *BITS]
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

# Kernels are built for one machine at a time; python.org's Python would ask for two.
if sys.platform == "darwin":
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")

CSRC = sorted(str(path) for path in Path("src/bpcore/csrc").glob("*.h"))
CSRC += sorted(str(path) for path in Path("src/bpcore").rglob("*.p[x][di]"))


def extension(name, source, isa=None):
    """One compiled module; `isa` names the instruction set a kernel build is for."""
    module = Extension(name, [source], include_dirs=["src/bpcore"], depends=CSRC)
    module.isa = isa
    return module


class BuildExt(build_ext):
    """Gives every module its flags, and leaves out what the compiler cannot build."""

    def build_extensions(self):
        gnu = self.compiler.compiler_type != "msvc"
        flags = GNU_FLAGS if gnu else MSVC_FLAGS
        if gnu and WERROR:
            flags = [*flags, *WARNINGS, "-Werror"]
        if gnu and DEBUG:
            flags = [*flags, *SANITIZERS]
        machine = MACHINES.get(platform.machine().lower())
        built = []
        for module in self.extensions:
            isa_flags = []
            if module.isa not in (None, "scalar"):
                needs, isa_flags = INSTRUCTION_SETS[module.isa]
                if needs != machine:
                    continue
                if not gnu or not self.compiles(machine, isa_flags):
                    self.warn(f"no kernels for {module.isa}: this compiler cannot")
                    continue
            module.extra_compile_args = [*flags, *isa_flags]
            if gnu:
                module.extra_link_args = [*LINK_FLAGS, *(SANITIZERS if DEBUG else [])]
            if module.isa:
                module.define_macros = [
                    (f"BPCORE_ISA_{module.isa.upper()}", None),
                    ("BPCORE_COMPILER", self.quoted(self.compiler_version())),
                    ("BPCORE_FLAGS", self.quoted(" ".join(module.extra_compile_args))),
                ]
            built.append(module)
        self.extensions = built
        super().build_extensions()

    def build_extension(self, module):
        # The kernel builds share one source: each needs an object file of its own.
        command = copy.copy(self)
        command.build_temp = os.path.join(self.build_temp, module.name)
        build_ext.build_extension(command, module)

    def compiles(self, machine, flags):
        """Whether the compiler takes the flags and has vector types and intrinsics."""
        header = {"x86_64": "immintrin.h", "arm64": "arm_neon.h"}[machine]
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(
                f"#include <{header}>\n"
                "typedef float vec __attribute__((vector_size(16)));\n"
                "vec add(vec a, vec b) { return a + b; }\n"
            )
            try:
                self.compiler.compile(
                    [str(probe)], output_dir=folder, extra_preargs=flags
                )
            except CompileError:
                return False
        return True

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


def extensions():
    """The engine from its own C, every kernel build from the one C of the kernels."""
    cpu, engine, kernels = cythonize(
        [
            extension("bpcore._cpu", "src/bpcore/_cpu.pyx"),
            extension("bpcore.engine.engine", "src/bpcore/engine/engine.pyx"),
            extension("bpcore._kernels", "src/bpcore/_kernels.pyx"),
        ],
        build_dir="build/cython",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
        annotate=DEBUG,
        quiet=True,
    )
    plain = [extension(module.name, module.sources[0]) for module in (cpu, engine)]
    return plain + [
        extension(f"bpcore._{isa}._kernels", kernels.sources[0], isa)
        for isa in [*INSTRUCTION_SETS, "scalar"]
    ]


setup(
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExt},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
