"""Trials in child processes with limits of time and memory: crashes and hangs count."""

import faulthandler
import gc
import os
import resource
import select
import signal
import tempfile
import time
import warnings

#: Trials of one child: a fork is cheap, but not free.
TRIALS = 200
#: Seconds of processor time after which a trial counts as hanging; or of waiting for
#: something else, times WAITS: the machine may be busy.
PATIENCE, WAITS = 30.0, 20
#: Bytes of memory that a child may take beyond what its parent has.
MEMORY = 2 << 30


def outcomes(trial, cases, patience=PATIENCE):
    """(case, outcome) of ``trial(case)``, a text, for each case.

    The outcome is "crash ..." with the last lines of the child's traceback if the child
    dies, and "hang ..." if it does not end in time; the next child goes on after it.

    Parameters
    ----------
    trial : callable
        Takes a case; returns one line of text.
    cases : sequence
    patience : float
        Seconds of processor time for each trial.
    """
    at = 0
    while at < len(cases):
        for case, outcome in _child(trial, cases[at : at + TRIALS], patience):
            at += 1
            yield case, outcome


def _child(trial, cases, patience):
    """The outcomes of one child, up to its crash or hang."""
    reads, writes = os.pipe()
    with tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            os.close(reads)
            _work(trial, cases, writes, errors)
        os.close(writes)
        done, rest, ready = 0, b"", True
        while done < len(cases):
            ready = _answers(reads, child, patience)
            new = os.read(reads, 1 << 16) if ready else b""
            if not new:
                break
            *lines, rest = (rest + new).split(b"\n")
            for line in lines:
                yield cases[done], line.decode()
                done += 1
        os.close(reads)
        if done < len(cases):
            how = "hang" if not ready else "crash"
            os.kill(child, signal.SIGABRT)  # faulthandler writes where it is
        _, status = os.waitpid(child, 0)
        if done < len(cases):
            errors.seek(0)
            places = errors.read().decode(errors="replace").splitlines()
            where = [line.strip() for line in places if line.startswith("  File")][:8]
            yield cases[done], f"{how} (status {status}) {'; '.join(where)}"


def _answers(reads, child, patience):
    """Whether the child writes something, or ends, before its time is over."""
    began, used = time.monotonic(), _seconds_used(child)
    while not select.select([reads], [], [], min(patience, 1.0))[0]:
        if _seconds_used(child) - used > patience:
            return False
        if time.monotonic() - began > WAITS * patience:
            return False
    return True


def _seconds_used(child):
    """Processor time of a process."""
    with open(f"/proc/{child}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _work(trial, cases, writes, errors):
    """The child: a line for each case, then the end of the process."""
    status = 1
    try:
        faulthandler.enable(errors)
        os.dup2(errors.fileno(), 2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        warnings.simplefilter("ignore")
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_taken() + MEMORY,) * 2)
        gc.freeze()
        for case in cases:
            try:
                line = trial(case).replace("\n", " ")[:2000]
            except Exception as error:
                line = f"broken {type(error).__name__}: {error}"
            os.write(writes, line.encode(errors="replace") + b"\n")
        status = 0
    finally:
        os._exit(status)


def _taken():
    """Bytes of address space of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
