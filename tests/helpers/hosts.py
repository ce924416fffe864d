"""Two hosts with a network between them, by Linux's network namespaces (as root)."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from helpers.processes import run

#: Launched by mpiexec in place of ssh: [options] host command.
LAUNCH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
name={name}${1##*.}; shift
exec ip netns exec "$name" unshare -u sh -c "hostname $name; exec $*"
"""


def command(text):
    subprocess.run(text.split(), check=True, capture_output=True)


class Hosts:
    """The hosts 10.19.0.1 and 10.19.0.2, and mpiexec's at 10.19.0.254."""

    def __init__(self, folder):
        self.name = f"bp{os.getpid() % 10000}h"
        self.launch = folder / "launch.sh"
        self.launch.write_text(LAUNCH.replace("{name}", self.name))
        self.launch.chmod(0o755)

    def __enter__(self):
        name = self.name
        if not shutil.which("ip") or os.geteuid():
            pytest.skip("there are no network namespaces without ip and root")
        try:
            command(f"ip link add {name} type bridge")
            command(f"ip addr add 10.19.0.254/24 dev {name}")
            command(f"ip link set {name} up")
            for i in (1, 2):
                command(f"ip netns add {name}{i}")
                command(f"ip link add {name}v{i} type veth peer eth0 netns {name}{i}")
                command(f"ip link set {name}v{i} master {name} up")
                self.within(i, f"ip addr add 10.19.0.{i}/24 dev eth0")
                self.within(i, "ip link set eth0 up")
                self.within(i, "ip link set lo up")
                self.within(i, "ip route add default via 10.19.0.254")
        except subprocess.CalledProcessError as error:
            self.__exit__()
            pytest.skip(f"no network namespaces: {error.stderr.decode()}")
        return self

    def __exit__(self, *exception):
        for i in (1, 2):
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

    def slow(self):
        """Limit both to 200 Mb/s."""
        for i in (1, 2):
            limit = "rate 200mbit burst 256kb latency 50ms"
            self.within(i, f"tc qdisc add dev eth0 root tbf {limit}")

    def run(self, count, program, *arguments):
        options = ["-localhost", "10.19.0.254", "-launcher", "ssh", "-launcher-exec"]
        options += [str(self.launch), "-hosts", "10.19.0.1,10.19.0.2"]
        # They would find that they share a memory.
        options += ["-ppn", str(count // 2), "-genv", "UCX_TLS", "tcp,self"]
        return run(count, program, *arguments, options=options)
