"""A child process by fork: what it sends back, and whether it ended well."""

import faulthandler
import os
import select
import signal
import time
import traceback

#: Seconds after which a child counts as one that hangs.
LONGEST = 60.0


class Child:
    """The process forked: `here` is true in the child, which ends by `end`.

    Parameters
    ----------
    seconds : float
        After which it is killed.
    """

    def __init__(self, seconds=LONGEST):
        self.seconds, self.deadline = seconds, time.monotonic() + seconds
        read, write = os.pipe()
        self.process = os.fork()
        self.here = self.process == 0
        os.close(read if self.here else write)
        self.pipe = write if self.here else read

    def end(self, work):
        """Call a function, send its bytes to the parent, and end the process."""
        status = 1
        faulthandler.dump_traceback_later(0.8 * self.seconds, exit=True, file=self.pipe)
        try:
            os.write(self.pipe, work())
            status = 0
        except BaseException:
            os.write(self.pipe, traceback.format_exc().encode()[-4000:])
        finally:
            os._exit(status)

    def result(self):
        """The bytes of the child, and in words what went wrong, or None."""
        found = b""
        try:
            while True:
                left = self.deadline - time.monotonic()
                if not select.select([self.pipe], [], [], max(0, left))[0]:
                    return found, "the child hangs"
                piece = os.read(self.pipe, 1 << 16)
                if not piece:
                    break
                found += piece
            return found, self._ended(found)
        finally:
            os.close(self.pipe)
            if self.process:
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)

    def _ended(self, found):
        """What went wrong with a child that has closed its pipe."""
        while time.monotonic() < self.deadline:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self.process = 0
                if status == 0:
                    return None
                text = found.decode(errors="replace")
                return f"the child ended with status {status}: {text}"
            time.sleep(0.001)
        return "the child hangs"


def in_child(work, seconds=LONGEST):
    """Call a function in a child; returns its bytes, and what went wrong or None."""
    child = Child(seconds)
    if child.here:
        child.end(work)
    return child.result()
