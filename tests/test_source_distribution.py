"""The source distribution holds what git holds, but for files of the repository."""

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
#: What builds, tests and readers of a source distribution do not need.
LEFT_OUT = (".gitignore", ".github/*", "packaging/*")
#: What setuptools adds itself, besides the modules and data of the packages.
ADDED = {"pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"}


def matches(file, patterns):
    return any(fnmatch(file, pattern) for pattern in patterns)


def by_setuptools(file):
    """Whether it is a module of a listed package, or its data."""
    folder, _, name = file.rpartition("/")
    package = folder.removeprefix("src/").replace("/", ".")
    if name.endswith(".py"):
        return package in SETUPTOOLS["packages"]
    return any(
        matches(file, [f"src/{package.replace('.', '/')}/{pattern}"])
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
    )


def by_manifest(file):
    """Whether a line of MANIFEST.in names it."""
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():
        command, *patterns = line.split()
        if command == "include" and file in patterns:
            return True
        if command == "recursive-include":
            folder, *patterns = patterns
            if file.startswith(f"{folder}/") and matches(Path(file).name, patterns):
                return True
    return False


def test_it_holds_what_git_holds():
    command = ["git", "-C", ROOT, "ls-files"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout of the repository")
    held = {
        file
        for file in listed.stdout.splitlines()
        if file in ADDED or by_setuptools(file) or by_manifest(file)
    }
    missing = {*listed.stdout.splitlines()} - held
    assert not {file for file in missing if not matches(file, LEFT_OUT)}
    assert not {file for file in held if matches(file, LEFT_OUT)}


def test_recipe_for_conda_has_the_same_version_and_requirements():
    recipe = ROOT / "packaging" / "conda" / "recipe.yaml"
    if not recipe.exists():
        pytest.skip("not part of the source distribution")
    text = recipe.read_text()
    assert f'version: "{PROJECT["project"]["version"]}"' in text
    required = PROJECT["build-system"]["requires"] + PROJECT["project"]["dependencies"]
    for requirement in required:
        name, version = re.fullmatch(r"(\w+)(>=[\d.]+)", requirement).groups()
        assert f"- {name} {version}\n" in text
