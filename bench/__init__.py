"""How fast the library is, and how fast it could be.

A time alone says nothing. Every figure here stands beside two others, taken in the
same run, in the same process, on the same core: the *floor*, the least time that the
arithmetic or the memory traffic can take on this machine, and the time of what a user
would pick instead. Nothing is timed before its result agrees with the reference.

    python -m bench.step       one training step, called from Python
    python -m bench.predict    one prediction, called from Python
    python -m bench.kernels    the kernels alone, for each instruction set of this CPU

Each command holds itself to one core and each library to one thread, prints a table,
and with ``--json FILE`` writes the same figures, their spread, the settings and the
machine. Run them from the root of the repository, with bpcore installed; peers that
are not installed are left out.

Where things are, each line resting on those below it:

    commands       step, predict; kernels
    what they run  compare, peers/; operations, numpy_kernels
    what they say  tables, report
    what holds     verify
    what limits    floor, yardsticks
    what is given  case; layer
    how, where     timing, pinning, machine
"""
