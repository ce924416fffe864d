"""Campaigns: every promise of the library tried under the conditions that break it.

    python -m trust.NAME [--seconds S] [--json FILE]
    python -m trust.summary

A campaign tries one promise many times, in long form for ``make trust``; the tests have
a short form of each, which calls the same functions. It prints one line per kind of
trial: how many were tried and how many failed; a failure prints how to repeat it, and
the exit status is then 1. With ``--json FILE`` it also writes the counts and the
machine. ``make trust`` writes to ``trust/results/<cpu>``, and `summary` writes the
figures of these files into docs/trust.md.

    campaign    a campaign's command line, its counts and its file
    summary     the tables of docs/trust.md

    memory_safety     no access to memory that is not the call's own, and no leak; by
      hooks             objects that lie or meddle, of which also
      engine_arguments  wrong arrays for each method of the engine, and
      kernel_hooks      numbers that resize the arrays of a kernel
      random_calls      random networks, calls and arrays
      guard_pages       arrays between pages that cannot be read
      edge_sizes        a short program for valgrind
      leaks             memory after many fits
      guided            changed files, guided by the lines that they reach
"""
