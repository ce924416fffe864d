"""Child processes.

Its modules, each above those that it imports::

    forked      a child by fork, and how it ended
    trials      many trials, of which one may crash or hang
    programs    Python in a new process
"""
