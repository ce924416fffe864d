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
    lost_processes  killed processes of a fit on several; killed_run is their program
    allocations the k-th allocation fails, for every k of every public call
    allocating  its calls, and the states that they may leave
    failing_memory
                memory that fails, in C for LD_PRELOAD, and from Python
    disks       full disks, failing calls of the system, processes that are killed
    disk_calls  its calls that write files
    failing_disk
                a disk that fails, in C for LD_PRELOAD, and from Python
    summary     the tables of docs/trust.md

The same bits, and the elementary functions::

    bits           the bits of every case, whatever the way
    golden         the recorded bits: compared, recorded, differences explained
    bits_cases     the cases: networks, optimizers, options and data
    bits_options   values of the options, and which go together
    bits_outcome   what a fit leaves, as digests
    bits_ways      ways to train and to predict that must give the same bits
    elementary     exp, log, tanh and others: every float32, many float64
    elementary_errors      errors of an array of numbers, by every build
    elementary_functions   formulas of more precision, exact values
    processes   forks at any moment, start methods, several interpreters
    threads     one network in many threads, many networks, daemon threads, limits
    tsan        threads under the thread sanitizer

Of processes and threads::

    work            the calls that a thread repeats
    forked          a child by fork, and how it ended
    forks           forks in the middle of calls
    pools           networks to and from processes
    subinterpreters several interpreters in one process
    one_network     one network in many threads
    many_networks   many networks in many threads
    ending          programs that end while daemon threads train
    limits          affinity, control groups, threadpoolctl, rest
    memory_safety     no access to memory that is not the call's own, and no leak; by
      hooks             objects that lie or meddle, of which also
      engine_arguments  wrong arrays for each method of the engine, and
      kernel_hooks      numbers that resize the arrays of a kernel
      random_calls      random networks, calls and arrays
      guard_pages       arrays between pages that cannot be read
      edge_sizes        a short program for valgrind
      leaks             memory after many fits
      guided            changed files, guided by the lines that they reach
    interrupts              interrupts at any point of every call that changes something
    interrupting            ways to interrupt a call
    changing                a call, the states that it may leave, its faults
    changes                 calls that change a network
    changes_of_files        calls that write and read files
    changes_of_estimators   calls that train several networks or an estimator
    pickles     damaged pickles of every class; with altered (trees and bytes), hostile
                (values), pickled (objects), uses (what is done with them)
    children    trials in child processes, whose crashes and hangs count
    inputs      every form of data: a right result or the documented error
    numbers     errors at extreme inputs and in long sums; the time of subnormal ones

and what they are made of::

    call, input_calls, calls_of_...    public calls that take data
    input_forms, forms_of_...          forms in which numbers come
    exact, rounding, means, speed      extended precision, errors, sums, times
"""
