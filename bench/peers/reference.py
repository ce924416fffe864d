"""The library in plain NumPy (``bpcore.reference``), the oracle of each command."""

from bpcore.reference import Network

from . import bpcore


class Peer(bpcore.Peer):
    """``bpcore.reference.Network``."""

    title = "NumPy reference"
    network = Network
