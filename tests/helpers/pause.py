"""A child of a fork while another thread is within a call."""

import threading

from trust.children.forked import in_child


class Pause:
    """A function of the user in another thread that waits, within a call."""

    def __init__(self):
        self.begun, self.over = threading.Event(), threading.Event()

    def wait(self):
        self.begun.set()
        assert self.over.wait(60)

    def during(self, call, work):
        """Run work in a child while `call` waits in another thread."""
        thread = threading.Thread(target=call)
        thread.start()
        try:
            assert self.begun.wait(60)
            return in_child(work, 20)
        finally:
            self.over.set()
            thread.join()
