"""Builds the compiled modules; the kernels in C once per instruction set.

``csrc/kernels.c`` is compiled several times with different target flags, each time into
a separate object file.  All are linked into ``bpcore._kernels``, and
``bpcore/engine/dispatch.py`` chooses one at import.

Environment:

- ``BPCORE_NATIVE=1`` builds only the best instruction set of this machine, and the
  scalar one: half the time.
- ``BPCORE_LIMITED_API=1`` uses the Limited API of CPython 3.12: one wheel for it and
  all later versions.
- ``BPCORE_WERROR=1`` turns compiler warnings into errors (the project's own builds).
- ``BPCORE_DEBUG=1`` checks bounds and adds the address and undefined-behaviour
  sanitizers; ``BPCORE_TSAN=1`` adds the thread sanitizer.
- On Windows ``CC=clang-cl`` or ``CC=cl`` chooses the compiler; without it, clang-cl if
  it is found.

A cross build sets ``CC``, ``LDSHARED``, ``SETUPTOOLS_EXT_SUFFIX`` and
``_PYTHON_HOST_PLATFORM`` (as in linux-aarch64), which setuptools and sysconfig read.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, PlatformError

DEBUG = os.environ.get("BPCORE_DEBUG") == "1"
TSAN = os.environ.get("BPCORE_TSAN") == "1"
WERROR = os.environ.get("BPCORE_WERROR") == "1"
NATIVE = os.environ.get("BPCORE_NATIVE") == "1"
LIMITED_API = os.environ.get("BPCORE_LIMITED_API") == "1"

# instruction set: (processor family, compiler flags), the best first.  The flags name
# features, since older compilers do not have the levels' names.
X86_64_V2 = ["-msse4.2", "-mpopcnt"]
X86_64_V3 = [*X86_64_V2, "-mavx2", "-mfma", "-mbmi", "-mbmi2"]
X86_64_V4 = [*X86_64_V3, "-mavx512f", "-mavx512bw", "-mavx512cd", "-mavx512dq"]
X86_64_V4 += ["-mavx512vl", "-mprefer-vector-width=512"]
INSTRUCTION_SETS = {
    "x86_64_v4": ("x86_64", X86_64_V4),
    "x86_64_v3": ("x86_64", X86_64_V3),
    "x86_64_v2": ("x86_64", X86_64_V2),
    "arm64": ("arm64", []),
}
# Small code for processors from before 2013, and for any other processor, where there
# are builds for newer ones too.
SMALL = {"x86_64_v2": ["-Os"], "scalar": ["-Os", "-DBPCORE_SMALL"]}
FAST = ["-O3"]
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}

# Flags that fix the bits, whatever CFLAGS has: no reordering, and only the fused
# multiply-adds written in the source.
BITS = ["-fno-fast-math", "-ffp-contract=off"]
# Fast-math flags in a user's CFLAGS reach the linker too, where they would turn off
# subnormal numbers for the whole process.
LINK_FLAGS = ["-O3", "-pthread", "-fno-fast-math", "-fno-unsafe-math-optimizations"]
GNU_FLAGS = ["-std=gnu11", "-fno-strict-aliasing", "-pthread", "-g0", *BITS]
GNU_FLAGS += ["-Wno-unused-function"]  # of Cython
# Kernels raise and catch nothing: no tables for unwinding.
NO_TABLES = ["-fno-asynchronous-unwind-tables"]
# Prints the macros of this machine's processor.
NATIVE_MACROS = ["-march=native", "-dM", "-E", "-x", "c", "-"]
MSVC_FLAGS = ["/O2", "/std:c11", "/fp:precise"]
CLANG_CL_FLAGS = ["-fno-strict-aliasing", *BITS]
WARNINGS = ["-Wall", "-Wextra", "-Wno-unused-parameter"]
KERNEL_WARNINGS = ["-Wconversion", "-Wshadow"]  # Cython's code has conversions
SANITIZED = "thread" if TSAN else "address,undefined" if DEBUG else ""
SANITIZERS = ["-O1", "-g1", f"-fsanitize={SANITIZED}", "-fno-omit-frame-pointer"]
if not SANITIZED:
    SANITIZERS = []

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

# Of CPython 3.12; with that of 3.11 a call takes 15 % longer.
LIMITED_MACROS = [("Py_LIMITED_API", "0x030C0000"), ("CYTHON_LIMITED_API", "1")]

KERNELS = "bpcore._kernels"
CSRC = Path("src/bpcore/csrc")
# Files that a module may include: if one changes, the module is rebuilt.
INCLUDED = [*CSRC.glob("*.[ch]"), *Path("src/bpcore").rglob("*.p[x][di]")]
BUILD = Path("build")


class Build(build):
    """Compiles first: where that fails, no file has been copied yet."""

    sub_commands = build.sub_commands[::-1]


class BuildExt(build_ext):
    """Adds compiler flags, and compiles the kernels for each instruction set."""

    def build_extensions(self):
        self.gnu = self.compiler.compiler_type != "msvc"
        self.clang_cl = not self.gnu and self.use_clang_cl()
        self.check_compiler()
        self.builds = self.possible_builds()
        self.set_flags()
        settings = repr([self.builds, *map(vars, self.extensions)])
        stamp = BUILD / "settings"
        if not stamp.exists() or stamp.read_text() != settings:
            self.force = True  # what was built with others is not up to date
        self.build_all()
        stamp.write_text(settings)

    @property
    def glue(self):
        """The module that the kernels are linked into; it only checks arguments."""
        return next(module for module in self.extensions if module.name == KERNELS)

    def set_flags(self):
        """Set the compiler's flags for every module."""
        for module in self.extensions:
            module.extra_compile_args = self.flags("-O2")
            if self.gnu:
                module.extra_link_args = [*LINK_FLAGS, *SANITIZERS]
        # Small code, or with BPCORE_NATIVE code that is soon compiled.
        self.glue.extra_compile_args = self.flags("-O1" if NATIVE else "-Os")
        linked = " ".join(f"X({isa})" for isa in self.builds)
        self.glue.define_macros.append(("BPCORE_BUILDS", linked))

    def build_all(self):
        """Compile everything in one pool; after an error nothing more is begun."""
        pool = ThreadPoolExecutor(self.parallel)
        try:
            # The kernels take the longest; Cython, which they do not need, translates
            # the modules meanwhile.
            kernels = [pool.submit(self.compile_kernels, isa) for isa in self.builds]
            translate(self.extensions)
            # A generator: setuptools reads it once, when it links the module.
            objects = chain.from_iterable(job.result() for job in kernels)
            self.glue.extra_objects = objects
            modules = [pool.submit(self.build_extension, it) for it in self.extensions]
            for module in modules:
                module.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def use_clang_cl(self):
        """Replace cl.exe, which has no vector types; returns whether that was done."""
        name = os.environ.get("CC", "clang-cl")
        path = shutil.which(name)
        if Path(name).stem.lower() != "clang-cl" or self.plat_name == "win32":
            return False
        if path is None and "CC" in os.environ:
            raise CompileError(f"CC must name a compiler; {name!r} was not found")
        if path is None:
            return False
        if not self.compiler.initialized:
            self.compiler.initialize(self.plat_name)
        self.compiler.cc = path
        return True

    def options(self, flags):
        """Flags of GCC and Clang in the form that the compiler takes."""
        return [f"/clang:{flag}" for flag in flags] if self.clang_cl else [*flags]

    def flags(self, *more):
        """Compiler flags; `more` is for GCC and Clang only."""
        if self.clang_cl:
            return [*MSVC_FLAGS, *self.options([*more, *CLANG_CL_FLAGS])]
        if not self.gnu:
            return MSVC_FLAGS
        warnings = [*WARNINGS, "-Werror"] if WERROR else []
        return [*more, *warnings, *GNU_FLAGS, *SANITIZERS]

    def check_compiler(self):
        """Stop with one line where no compiler, or no header of Python, is found."""
        needs = {"C compiler": "int one;\n", "Python.h": "#include <Python.h>\n"}
        for name, code in needs.items():
            try:
                self.compile_probe(code)
            except (CompileError, PlatformError) as error:
                raise CompileError(
                    f"no {name} was found that builds for this Python: install it, or "
                    "install a wheel: pip install --only-binary :all: bpcore"
                ) from error

    def possible_builds(self):
        """{instruction set: flags} of the builds that this compiler can make."""
        machine, builds = target_machine(), {}
        here = self.native_macros() if NATIVE else {}
        for isa, (needs, flags) in INSTRUCTION_SETS.items():
            if needs != machine or (here and not macros_of(flags) <= here):
                continue
            if (self.gnu or self.clang_cl) and self.compiles(machine, flags):
                builds[isa] = flags
                if here:
                    break
            else:
                self.warn(f"no kernels for {isa}: not supported by this compiler")
        builds["scalar"] = []
        best = next(iter(builds))
        return {
            isa: [*(FAST if isa == best else SMALL.get(isa, FAST)), *flags]
            for isa, flags in builds.items()
        }

    def native_macros(self):
        """Names of the macros that the compiler defines for this processor."""
        command = [*getattr(self.compiler, "compiler", []), *NATIVE_MACROS]
        output = subprocess.run(
            command, input="", capture_output=True, text=True, check=False
        ).stdout
        return {line.split()[1] for line in output.splitlines()}

    def compile_kernels(self, isa):
        """Compile the kernels for an instruction set; returns the object files.

        They are the same for every Python, so that builds in one folder share them.
        """
        warnings = KERNEL_WARNINGS if WERROR and self.gnu else []
        flags = self.flags(*self.builds[isa], *NO_TABLES, *warnings)
        command = " ".join([*getattr(self.compiler, "compiler_so", []), *flags])
        kind = hashlib.sha256(command.encode())
        for path in sorted(CSRC.glob("*.[ch]")):
            kind.update(path.read_bytes())
        folder = BUILD / f"{isa}-{kind.hexdigest()[:16]}"
        if not folder.exists():
            new = folder.with_suffix(f".{os.getpid()}")
            self.compiler.compile(
                [str(CSRC / "kernels.c")],
                output_dir=str(new),
                macros=[
                    (f"BPCORE_ISA_{isa.upper()}", None),
                    ("BPCORE_COMPILER", self.quoted(self.compiler_version())),
                    ("BPCORE_FLAGS", self.quoted(" ".join(flags))),
                ],
                extra_postargs=flags,
            )
            with suppress(OSError):  # another build may have been first
                new.rename(folder)
        return [str(path) for path in folder.rglob("*.o*")]

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
                [str(probe)], output_dir=folder, extra_preargs=self.options(flags)
            )

    def compiler_version(self):
        command = getattr(self.compiler, "compiler", None)
        if self.clang_cl:
            command = [self.compiler.cc]
        if command is None:
            return self.compiler.compiler_type
        output = subprocess.run(
            [command[0], "--version"], capture_output=True, text=True, check=False
        ).stdout
        return output.splitlines()[0] if output else command[0]

    def quoted(self, text):
        """A string literal of C."""
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{text}"'


def target_machine():
    """The family of processors to build for, or None: scalar kernels only."""
    name = sysconfig.get_platform().rpartition("-")[2]
    if name == "universal2":
        name = platform.machine()
    return MACHINES.get(name.lower())


def macros_of(flags):
    """The macros that mean that a processor has the features of flags."""
    features = [flag[2:] for flag in flags if re.match(r"-m(?!prefer)", flag)]
    return {f"__{feature.upper().replace('.', '_')}__" for feature in features}


def extension(name):
    """A compiled module."""
    return Extension(
        name,
        [f"src/{name.replace('.', '/')}.pyx"],
        include_dirs=["src/bpcore"],
        define_macros=[*LIMITED_MACROS] if LIMITED_API else [],
        depends=sorted(map(str, INCLUDED)),
        py_limited_api=LIMITED_API,
    )


def translate(modules):
    """Write the C of the modules, their sources from now on."""
    from Cython.Build import cythonize  # only a build needs it

    made = cythonize(
        modules,
        build_dir="build/cython",
        include_path=["src"],
        compiler_directives=DIRECTIVES,
        annotate=DEBUG,
        quiet=True,
    )
    sources = {module.name: module.sources for module in made}
    for module in modules:
        module.sources = sources[module.name]


setup(
    ext_modules=[extension("bpcore.engine.engine"), extension(KERNELS)],
    cmdclass={"build": Build, "build_ext": BuildExt},
    options={
        "build_ext": {"parallel": os.cpu_count()},
        "bdist_wheel": {"py_limited_api": "cp312"} if LIMITED_API else {},
    },
)
