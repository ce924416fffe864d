"""Liveness: notices within seconds that another process has failed, ended or stalled.

Every process has a TCP connection to process 0 and a thread that sends a sign of life
once a second.  A killed process closes its connection at once; a stalled machine is
silent for too long; a process with an error sends it.  Process 0 passes each failure
on.  The thread makes no MPI calls, which few installations allow beside others.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import selectors
import socket
import time
import weakref
from collections.abc import Sequence
from typing import NamedTuple

from bpcore.errors import ProcessError
from bpcore.workers import Worker

#: Most seconds between two signs of life.
INTERVAL = 1.0

#: Most seconds in which a failure that MPI reported is explained by a connection.
PATIENCE = 3.0

#: Seconds after which one that waits for others does not wait for one that has left.
LEFT = 5.0

#: Most characters of an error that are passed on.
MOST = 2000

ALIVE, BYE, ERROR = b".", b"B", b"E"


class Address(NamedTuple):
    """Where process 0 listens, and what it recognises the others by."""

    host: str
    names: tuple[str, ...]
    port: int
    token: str


class Peer:
    """A connection to another process."""

    def __init__(self, link: socket.socket, rank: int | None = None) -> None:
        link.setblocking(False)
        self.link, self.rank, self.heard, self.rest = link, rank, time.monotonic(), b""

    def lines(self) -> list[bytes] | None:
        """The lines that have arrived; None if the connection has ended."""
        try:
            data = self.link.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self.heard = time.monotonic()
        *lines, self.rest = (self.rest + data).split(b"\n")
        return lines

    def send(self, line: bytes) -> None:
        """Send a line, unless the connection has ended or is stuck."""
        with contextlib.suppress(OSError):
            self.link.send(line + b"\n")


class Liveness:
    """Watches the processes of a fit.

    Parameters
    ----------
    rank, size : int
    timeout : float
        Seconds of silence after which a process counts as lost.

    Attributes
    ----------
    failure : (rank, text) or None
        The first failure of another process.
    peers : mapping of int to Peer
        The connections that have said whose they are.
    """

    def __init__(self, rank: int, size: int, timeout: float) -> None:
        self.rank, self.size, self.timeout = rank, size, timeout
        self.failure: tuple[int, str] | None = None
        self._server: socket.socket | None = None
        self._address: Address | None = None
        self._selector = selectors.DefaultSelector()
        self.peers: dict[int, Peer] = {}
        self._links: list[socket.socket] = []
        self._outgoing: list[bytes] = []
        self._failures: list[bytes] = []
        #: When each process that has taken leave did so.
        self._gone: dict[int, float] = {}
        self._wake, self._waker = socket.socketpair()
        self._watcher: Worker | None = None
        self._closing = False
        _all.add(self)

    # --- beginning and end ------------------------------------------------------------

    def listen(self, hosts: Sequence[str]) -> Address:
        """Listen for the others, called by process 0; `hosts` are those of all."""
        own = socket.gethostname()
        local = all(host == own for host in hosts)
        self._server = socket.create_server(
            ("127.0.0.1" if local else "", 0), backlog=self.size
        )
        self._server.setblocking(False)
        port = self._server.getsockname()[1]
        names = ("127.0.0.1",) if local else (*_own_address(), own)
        self._address = Address(own, names, port, secrets.token_hex(16))
        return self._address

    def begin(self, address: Address) -> None:
        """Connect to process 0, and watch from now on."""
        if self.rank:
            peer = Peer(_connected(address, self.timeout), 0)
            peer.link.setblocking(True)
            peer.link.sendall(f"{address.token} {self.rank}\n".encode())
            peer.link.setblocking(False)
            self.peers[0] = peer
            self._links.append(peer.link)
            self._selector.register(peer.link, selectors.EVENT_READ, peer)
        else:
            assert self._server is not None
            self._selector.register(self._server, selectors.EVENT_READ, None)
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        self._begun = time.monotonic()
        self._watcher = Worker(self._watch)
        self._watcher.start()

    def limit_silence(self, timeout: float) -> None:
        """Set the seconds of silence after which a process counts as lost, from now."""
        self._begun = time.monotonic()
        for peer in list(self.peers.values()):
            peer.heard = self._begun
        self.timeout = timeout
        self._waker.send(b"w")

    def close(self) -> None:
        """Take leave of the others."""
        self._closing = True
        self._waker.send(b"w")
        if self._watcher is not None:
            self._watcher.wait()
        self.close_files()

    def close_files(self) -> None:
        """Close all connections of this process, not those of its parent."""
        self._selector.close()
        for link in (*self._links, self._server, self._wake, self._waker):
            if link is not None:
                link.close()

    def fail(self, error: str) -> None:
        """Let the others know of an error of this process."""
        self._outgoing.append(_line_of(self.rank, f"failed: {error}"))
        self._waker.send(b"w")

    def require_all(self, patient: bool = False) -> None:
        """Raise a ProcessError if another process has failed."""
        end = time.monotonic() + PATIENCE
        while patient and self.failure is None and time.monotonic() < end:
            time.sleep(0.01)
        for rank, when in list(self._gone.items()):
            if self.failure is None and time.monotonic() - when > LEFT:
                self.failure = rank, "has left this fit"
        if self.failure is not None:
            rank, text = self.failure
            raise ProcessError(f"process {rank} {text}", rank)
        watcher = self._watcher
        if watcher is not None and not self._closing and watcher.ended(0):
            text = f"process {self.rank} no longer watches the others"
            raise ProcessError(text, self.rank) from watcher.error

    def send_all(self, line: bytes) -> None:
        """Send a line to every connected process."""
        for peer in list(self.peers.values()):
            peer.send(line)

    # --- the thread -------------------------------------------------------------------

    def _watch(self) -> None:
        due = time.monotonic()
        while True:
            due = min(due, time.monotonic() + min(INTERVAL, self.timeout / 5))
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                if key.fileobj is self._wake:
                    self._wake.recv(1 << 10)
                elif key.fileobj is self._server:
                    self._accept()
                else:
                    self._read(key.data)
            while self._outgoing:
                self._report(self._outgoing.pop(0))
            if self._closing:
                self.send_all(BYE)
                return
            if time.monotonic() >= due:
                due = math.inf
                self.send_all(ALIVE)
                self._note_silence()

    def _accept(self) -> None:
        assert self._server is not None
        with contextlib.suppress(OSError):
            link, _ = self._server.accept()
            self._links.append(link)
            self._selector.register(link, selectors.EVENT_READ, Peer(link))

    def _read(self, peer: Peer) -> None:
        lines = peer.lines()
        for line in lines or []:
            if peer.rank is None:
                self._greet(peer, line)
            elif line == BYE:
                self._gone[peer.rank] = time.monotonic()
            elif line[:1] == ERROR:
                rank, _, text = line[1:].decode(errors="replace").partition(" ")
                self._note(int(rank), text)
        if lines is None:
            self._selector.unregister(peer.link)
            if peer.rank is not None and peer.rank not in self._gone:
                self._note(peer.rank, "was lost: it has ended, or its connection has")

    def _greet(self, peer: Peer, line: bytes) -> None:
        """Note the rank of a process that has connected, if it is one of ours."""
        assert self._address is not None
        token, _, rank = line.decode(errors="replace").partition(" ")
        if secrets.compare_digest(token.encode(), self._address.token.encode()):
            peer.rank = int(rank)
            self.peers[peer.rank] = peer
            for line in self._failures:
                peer.send(line)

    def _note(self, rank: int, text: str) -> None:
        """Note the first failure; process 0 passes it on."""
        if self.failure is None and rank != self.rank:
            self.failure = rank, text
            if self.rank == 0:
                self._report(_line_of(rank, text))

    def _report(self, line: bytes) -> None:
        """Send a failure to all, and later to those that connect later."""
        self._failures.append(line)
        self.send_all(line)

    def _note_silence(self) -> None:
        now = time.monotonic()
        expected = range(1, self.size) if self.rank == 0 else [0]
        for rank in expected:
            if rank in self._gone:
                continue
            peer = self.peers.get(rank)
            heard = self._begun if peer is None else peer.heard
            if now - heard > self.timeout:
                self._note(rank, f"was lost: silent for {self.timeout:g} seconds")


#: Those that a child of a fork has copies of.
_all: weakref.WeakSet[Liveness] = weakref.WeakSet()


def _close_all() -> None:
    """Close the connections in a child, which would stay open after its parent."""
    for liveness in _all:
        liveness.close_files()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_all)


def _line_of(rank: int, text: str) -> bytes:
    """The line for a failure."""
    return ERROR + f"{rank} {text[:MOST]}".replace("\n", " ").encode()


def _connected(address: Address, timeout: float) -> socket.socket:
    """A connection to process 0."""
    end, reasons = time.monotonic() + timeout, ""
    names = address.names
    if address.host == socket.gethostname():
        names = ("127.0.0.1", *names)
    while time.monotonic() < end:
        for name in dict.fromkeys(names):
            try:
                return socket.create_connection((name, address.port), timeout / 4)
            except OSError as error:
                reasons = f"{name}: {error}"
        time.sleep(0.1)
    raise ProcessError(
        f"process 0 on {address.host}, port {address.port}, cannot be reached by TCP "
        f"({reasons})",
        0,
    )


def _own_address() -> list[str]:
    """The address of this host on its usual route.

    It needs no name server: where none answers, each query takes many seconds.
    """
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        probe.connect(("10.255.255.255", 1))  # nothing is sent
        return [probe.getsockname()[0]]
    return []
