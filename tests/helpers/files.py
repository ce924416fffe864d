"""Files that are altered, for tests of what reads them."""

import json

import numpy as np

from bpcore.files.native.container import CHECKSUMS, Container, write_container


def parts_of(path):
    """The JSON value and the arrays of a native file."""
    with Container.opened(path) as file:
        content = json.loads(file.metadata["bpcore"])
        names = [name for name in file.entries if name != CHECKSUMS]
        return content, {name: file.array(name) for name in names}


def rewrite(path, content, arrays):
    """Write a native file of any content, however wrong."""
    text = json.dumps(content)
    write_container(
        path, {"format": "bpcore", "bpcore": text}, arrays, with_sums=True, sync=False
    )


def raw_container(path, header, data=b""):
    """Write a container of any header, text or value, and any data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def mutations(data, count, seed):
    """Copies of a file with a few bytes changed, or cut short, or made longer."""
    random = np.random.default_rng(seed)
    for i in range(count):
        copy = bytearray(data)
        if i % 4 == 0:
            del copy[int(random.integers(len(copy))) :]
        elif i % 4 == 1:
            copy[int(random.integers(len(copy)))] ^= 1 << int(random.integers(8))
        elif i % 4 == 2:
            at = int(random.integers(len(copy)))
            copy[at : at + 4] = random.bytes(int(random.integers(9)))
        else:  # near the beginning, where the header is
            copy[int(random.integers(min(len(copy), 2000)))] = int(random.integers(256))
        yield bytes(copy)
