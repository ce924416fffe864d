"""Hosts on this machine with a network between them: Linux's network namespaces.

Each has an address, a name and an interface of its own; a token bucket limits what the
interface sends. It needs root, ``ip`` and ``tc``, and MPICH's mpiexec.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

#: Launched by mpiexec in place of ssh: [options] host command.
LAUNCH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
name={name}${1##*.}; shift
exec ip netns exec "$name" unshare -u sh -c "hostname $name; exec $*"
"""


def command(text):
    """Run a command, which must succeed."""
    subprocess.run(text.split(), check=True, capture_output=True)


class Hosts:
    """The hosts .1, .2, ... of a subnet of 10, and mpiexec's at .254.

    The subnet depends on this process, for those that others have left.

    Parameters
    ----------
    folder : Path
        For a script.
    count : int
        Number of hosts.

    Raises
    ------
    OSError
        On entry, if this machine has no network namespaces.
    """

    def __init__(self, folder, count=2):
        self.numbers = range(1, count + 1)
        self.name = f"bp{os.getpid() % 10000}h"
        self.net = f"10.{19 + os.getpid() // 250 % 200}.{os.getpid() % 250}"
        self.launch = Path(folder, "launch.sh")
        self.launch.write_text(LAUNCH.replace("{name}", self.name))
        self.launch.chmod(0o755)

    def __enter__(self):
        name = self.name
        if not shutil.which("ip") or os.geteuid():
            raise OSError("there are no network namespaces without ip and root")
        try:
            command(f"ip link add {name} type bridge")
            command(f"ip addr add {self.net}.254/24 dev {name}")
            command(f"ip link set {name} up")
            for i in self.numbers:
                command(f"ip netns add {name}{i}")
                command(f"ip link add {name}v{i} type veth peer eth0 netns {name}{i}")
                command(f"ip link set {name}v{i} master {name} up")
                self.within(i, f"ip addr add {self.net}.{i}/24 dev eth0")
                self.within(i, "ip link set eth0 up")
                self.within(i, "ip link set lo up")
                self.within(i, f"ip route add default via {self.net}.254")
        except subprocess.CalledProcessError as error:
            self.__exit__()
            raise OSError(f"no network namespaces: {error.stderr.decode()}") from error
        return self

    def __exit__(self, *exception):
        for i in self.numbers:
            for process in self.processes(i):  # those that mpiexec cannot reach
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            for what in (f"netns del {self.name}{i}", f"link del {self.name}v{i}"):
                with contextlib.suppress(subprocess.CalledProcessError):
                    command(f"ip {what}")
        with contextlib.suppress(subprocess.CalledProcessError):
            command(f"ip link del {self.name}")

    def processes(self, i):
        """The command of each process on host i, by its id."""
        found = subprocess.run(
            ["ip", "netns", "pids", f"{self.name}{i}"],
            capture_output=True,
            text=True,
            check=False,
        )
        commands = {}
        for process in map(int, found.stdout.split()):
            with contextlib.suppress(OSError):
                commands[process] = Path(f"/proc/{process}/cmdline").read_text()
        return commands

    def within(self, i, text):
        """Run a command on host i."""
        command(f"ip netns exec {self.name}{i} {text}")

    def slow(self, rate, burst="256kb"):
        """Limit what each host sends, as in "200mbit"; `burst` at least rate / 250."""
        for i in self.numbers:
            limit = f"rate {rate} burst {burst} latency 50ms"
            self.within(i, f"tc qdisc replace dev eth0 root tbf {limit}")

    def options(self, count):
        """Options of MPICH's mpiexec that spread so many processes over the hosts."""
        names = ",".join(f"{self.net}.{i}" for i in self.numbers)
        options = [
            "-localhost",
            f"{self.net}.254",
            "-launcher",
            "ssh",
            "-launcher-exec",
        ]
        options += [str(self.launch), "-hosts", names]
        # They would find that they share a memory.
        per_host = str(-(-count // len(self.numbers)))
        return [*options, "-ppn", per_host, "-genv", "UCX_TLS", "tcp,self"]
