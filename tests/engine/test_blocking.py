"""Block sizes: the model for known CPUs, what is reported, overrides, and the bits."""

import json
import os
import subprocess
import sys

import pytest

import bpcore as bp
from bpcore.engine import dispatch
from bpcore.engine.blocking import (
    CHAIN,
    FALLBACK,
    KIB,
    MOST_L2,
    Blocks,
    Caches,
    blocks_for,
    caches_of_cpu,
    overridden,
)

V3, V4, ARM = (6, 16), (8, 32), (8, 8)  # rows by float32 columns of a tile

#: CPU: its caches, its tile, and kc, mc, nc in float32.
KNOWN = {
    "Zen 2": (Caches(32 * KIB, 8, 512 * KIB, 8), V3, (256, 192, 128)),
    "Zen 3": (Caches(32 * KIB, 8, 512 * KIB, 8), V3, (256, 192, 128)),
    "Zen 4": (Caches(32 * KIB, 8, 1024 * KIB, 8), V4, (256, 384, 256)),
    "Zen 5": (Caches(48 * KIB, 12, 1024 * KIB, 16), V4, (256, 320, 320)),
    "Haswell": (Caches(32 * KIB, 8, 256 * KIB, 8), V3, (256, 96, 64)),
    "Skylake client": (Caches(32 * KIB, 8, 256 * KIB, 4), V3, (256, 60, 64)),
    "Skylake server": (Caches(32 * KIB, 8, 1024 * KIB, 16), V4, (256, 320, 320)),
    "Alder Lake": (Caches(48 * KIB, 12, 1280 * KIB, 10), V3, (512, 192, 192)),
    "Sapphire Rapids": (Caches(48 * KIB, 12, 2048 * KIB, 16), V4, (256, 640, 640)),
    "Apple M1": (Caches(128 * KIB, 8, 12288 * KIB, 12), ARM, (512, 424, 248)),
    "Graviton 2": (Caches(64 * KIB, 4, 1024 * KIB, 8), ARM, (512, 192, 128)),
    "Graviton 3": (Caches(64 * KIB, 4, 1024 * KIB, 8), ARM, (512, 192, 128)),
    "Graviton 4": (Caches(64 * KIB, 4, 2048 * KIB, 8), ARM, (512, 384, 256)),
}


@pytest.mark.parametrize("cpu", KNOWN)
def test_blocks_of_known_cpus(cpu):
    caches, tile, sizes = KNOWN[cpu]
    blocks = blocks_for(caches, *tile, 4)
    assert blocks[2:] == sizes


@pytest.mark.parametrize("cpu", KNOWN)
@pytest.mark.parametrize("itemsize", [4, 8])
def test_blocks_fit_into_the_caches(cpu, itemsize):
    caches, (rows, columns), _ = KNOWN[cpu]
    columns = columns * 4 // itemsize
    blocks = blocks_for(caches, rows, columns, itemsize)
    assert blocks.kc % CHAIN == blocks.mc % rows == blocks.nc % columns == 0
    column = blocks.kc * itemsize
    if blocks.kc > CHAIN:  # one chain of a wide tile may be more
        assert column * (rows + columns) < caches.l1
    assert column * (blocks.mc + 2 * blocks.nc) < min(caches.l2, MOST_L2)


def test_small_caches_give_the_smallest_blocks():
    assert blocks_for(Caches(4096, 2, 4096, 2), 6, 16, 8)[2:] == (256, 6, 16)


def test_what_a_cpu_does_not_report_is_as_in_the_fallback(tmp_path):
    assert caches_of_cpu(lambda level: (0, 0), tmp_path) == FALLBACK
    first = caches_of_cpu(lambda level: (65536, 4) if level == 1 else (0, 0), tmp_path)
    assert first == (65536, 4, *FALLBACK[2:])
    assert caches_of_cpu(lambda level: (level << 16, 0), tmp_path).l2_ways == 8


def test_the_list_of_linux(tmp_path):
    entries = [("1", "Instruction", "64K", "4"), ("1", "Data", "64K", "4")]
    entries += [("2", "Unified", "1M", "8"), ("3", "Unified", "32M", "16")]
    for number, values in enumerate(entries):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        names = ("level", "type", "size", "ways_of_associativity")
        for name, value in zip(names, values, strict=True):
            (folder / name).write_text(value + "\n")
    expected = Caches(64 * KIB, 4, 1024 * KIB, 8)
    assert caches_of_cpu(lambda level: (0, 0), tmp_path) == expected
    (tmp_path / "index1" / "size").write_text("unknown\n")
    assert caches_of_cpu(lambda level: (0, 0), tmp_path)[:2] == FALLBACK[:2]


def test_overridden_sizes_are_whole_tiles():
    blocks = Blocks(32768, 524288, 256, 192, 128)
    assert overridden(blocks, "", 6, 16) == blocks
    assert overridden(blocks, " kc = 512, mc=5,nc=33", 6, 16)[2:] == (512, 6, 32)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kd=256", "must set some of l1, l2, kc, mc, nc, as in .*; got 'kd=256'"),
        ("256", "must set some of l1, l2, kc, mc, nc, as in .*; got '256'"),
        ("kc=-256", "kc must be an integer from 1 to 16777215; got '-256'"),
        ("mc=", "mc must be an integer from 1 to 16777215; got ''"),
        ("nc=1e9", "nc must be an integer from 1 to 16777215; got '1e9'"),
        ("l1=99999999999", "l1 must be an integer from 1 to 16777215"),
        ("kc=300", "kc must be a multiple of 256; got 300"),
    ],
)
def test_overrides_that_are_refused(text, message):
    with pytest.raises(ImportError, match=rf"^BPCORE_BLOCKS:? {message}"):
        overridden(Blocks(32768, 524288, 256, 192, 128), text, 6, 16)


def test_set_once():
    with pytest.raises(RuntimeError, match="the block sizes are set already"):
        bp.kernels.set_blocks(dispatch.blocks)


def test_config_has_them():
    blocks = bp.config()["blocks"]
    assert blocks["float32"]["kc"] % bp.config()["chain"] == 0
    assert bp.config()["chain"] == CHAIN
    assert blocks["float64"] == dispatch.blocks[bp.config()["isa"]]["float64"]._asdict()


#: Prints a digest of all products in every build, over sizes that are cut everywhere.
DIGEST = """
import hashlib, json, numpy as np, bpcore as bp
from itertools import product
from bpcore.engine import dispatch
digests = {}
for isa, dtype in product(dispatch.available, ("float32", "float64")):
    digest = hashlib.sha256()
    with dispatch.using(isa):
        sizes = [(61, 700, 70), (331, 70, 61), (23, 19, 530), (43, 300, 300)]
        sizes += [(700, 30, 1), (1, 300, 300), (2, 300, 300), (3, 530, 531)]
        sizes += [(4, 41, 770), (5, 300, 300), (700, 613, 1)]
        for n, n_in, n_out in sizes:
            rng = np.random.default_rng(n)
            a, W, b, delta = (
                rng.normal(size=shape).astype(dtype)
                for shape in [(n, n_in), (n_in, n_out), n_out, (n, n_out)]
            )
            out, back = np.empty_like(delta), np.empty_like(a)
            bp.kernels.forward(a, W, b, out, "relu")
            bp.kernels.propagate(delta, W, np.abs(a), back, "tanh")
            dW, db = np.empty_like(W), np.empty_like(b)
            bp.kernels.gradient(a, delta, dW, db)
            bp.kernels.update(W, b, a, delta, bp.SGD(0.1), None, None)
            for x in (out, back, dW, db, W, b):
                digest.update(x.tobytes())
    digests[isa + " " + dtype] = digest.hexdigest()
print(json.dumps(digests))
"""


def digests(blocks):
    """What `DIGEST` prints with these sizes of blocks."""
    environment = os.environ | {"BPCORE_BLOCKS": blocks}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    run = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    "blocks",
    [
        "l1=512,l2=4096,mc=1,nc=1",
        "l1=512,l2=100000,kc=512,mc=20,nc=40",
        "l1=1,l2=16000000,mc=1000,nc=1000",
        "l1=10000000,l2=10000000",
    ],
)
def test_no_bit_depends_on_the_blocks(blocks):
    """Nothing copied, everything in smallest blocks, and everything in one block."""
    assert digests(blocks) == digests("")


def test_the_scratch_memory_suffices_for_any_blocks():
    code = """
import bpcore as bp
for dtype in ("float32", "float64"):
    for n_in, n_out in [(1, 1), (700, 70), (64, 64), (30, 2000), (784, 1024)]:
        most = before = 0
        for n in [*range(1, 400, 3), *range(500, 3000, 131)]:
            room, taken = bp.kernels.scratch_bytes(dtype, n, n_in, n_out)
            most = max(most, taken)
            assert most <= room and before <= room, (n, n_in, n_out)
            before = room
"""
    for blocks in (
        "l1=512,l2=4096,mc=1,nc=1",
        "l1=1,l2=3000000,kc=512,mc=99,nc=999",
        "l1=1000000,l2=1",
        "mc=100000,kc=2560",
    ):
        environment = os.environ | {"BPCORE_BLOCKS": blocks}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        subprocess.run([sys.executable, "-c", code], env=environment, check=True)
