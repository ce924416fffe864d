"""Campaigns: every promise of the library tested under the conditions that break it.

    python -m trust.NAME [--seconds S] [--json FILE]
    python -m trust.summary

A campaign tests one promise many times, in long form for ``make trust``; ``make test``
has a short form of each, which calls the same functions. It prints one line per kind of
trial: how many were tried and how many failed; a failure prints how to repeat it, and
the exit status is then 1. With ``--json FILE`` it also writes the counts and the
machine. ``make trust`` writes to ``trust/results/<cpu>``, and `summary` writes the
figures of these files into docs/trust.md.

The modules here are the campaigns; the packages have what they are made of, one subject
each, and list their modules. The packages that a campaign uses stand beside it::

    bits              the same bits, however a network is trained      fits
    elementary        exp, log, tanh and others: float32 and float64   arithmetic
    numbers           errors at extreme inputs and in long sums        arithmetic
    threads           one network in many threads, many, limits        concurrency
    tsan              threads under the thread sanitizer               concurrency
    processes         forks at any moment, start methods               concurrency
    lost_processes    a fit on several processes, one of them killed   concurrency
    interrupts        interrupts at any point of a call                changes
    allocations       the k-th allocation of a call fails              failing
    disks             full disks, failing calls, killed processes      failing
    memory_safety     no access to memory of others, and no leak       safety, forms
    pickles           damaged pickles of every class                   pickling
    inputs            every form of data, for every public call        calls, forms

Two more commands::

    golden            the recorded bits: compared, recorded, explained
    summary           the tables of docs/trust.md

And all of them use::

    children          child processes: by fork, many trials, new programs
    campaign          a campaign's command line, its counts and its file
    digest            a short text that differs for different values
    running           threads that run

Imports run one way: campaigns, golden, packages, children and forms, campaign, digest
and running.
"""
