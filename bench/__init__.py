"""How fast the library is, and how fast it could be.

A time alone says nothing. Every figure here stands beside two others, taken in the
same run, in the same process, on the same core: the *floor*, the least time that the
arithmetic or the memory traffic can take on this machine, and the time of what a user
would pick instead. Nothing is timed before its result agrees with the reference.

    python -m bench.step       one training step, called from Python
    python -m bench.predict    one prediction, called from Python
    python -m bench.fann       fit, one sample at a time, against FANN in C
    python -m bench.training   optimizers, dropout and the like against a plain step
    python -m bench.numerical  a gradient by backpropagation, and by central differences
    python -m bench.kernels    the kernels alone, for each instruction set of this CPU
    python -m bench.threads    several threads, and several networks, against one
    python -m bench.memory     the peak memory of training, against what it needs
    python -m bench.summary    one page and the plots of what the others have written

Each command but `threads` holds itself to one core and each library to one thread. Each
prints a table, and with ``--json FILE`` writes the same figures, their spread, the
settings and the machine. Run them from the root of the repository, with bpcore
installed; peers that are not installed are left out. ``make bench`` runs them all and
leaves what they say in ``bench/results``.

Where things are, each line resting on those below it:

    the page       summary, plot
    commands       step, predict, fann; training; numerical; threads; memory; kernels
    what they run  command, compare, peers/; per_sample, fann_driver (.py, .c);
                   abreast, many; footprint, gauges; operations, numpy_kernels
    what they say  verdicts, targets, tables, report, records
    what holds     verify
    what limits    floor, yardsticks
    what is given  case; layer
    how, where     timing, contention, pinning, machine
"""
