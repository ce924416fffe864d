"""Campaigns: every promise of the library tested under the conditions that break it.

    python -m trust.NAME [--seconds S] [--json FILE]
    python -m trust.summary

A campaign tests one promise many times, in long form for ``make trust``; ``make test``
has a short form of each, which calls the same functions. It prints one line per kind of
trial: how many were tried and how many failed; a failure prints how to repeat it, and
the exit status is then 1. With ``--json FILE`` it also writes the counts and the
machine. ``make trust`` writes to ``trust/results/<cpu>``, and `summary` writes the
figures of these files into docs/trust.md.

Below, the campaigns are at the margin; under each are the modules that it is made of.
Used by all::

    campaign                    a campaign's command line, its counts and its file
    summary                     the tables of docs/trust.md

Bits::

    bits                        the same bits, however a network is trained
        golden                  the recorded bits: compared, recorded, explained
        bits_cases              the cases: networks, optimizers, options and data
        bits_options            values of the options, and which go together
        bits_outcome            what a fit leaves, as digests
        bits_ways               ways to train and to predict, all with the same bits
    elementary                  exp, log, tanh and others: float32 and float64
        elementary_errors       errors of an array of numbers, by every build
        elementary_functions    formulas of more precision, exact values

Threads, processes, signals::

    threads                     one network in many threads, many networks, limits
    tsan                        threads under the thread sanitizer
        one_network             one network in many threads
        many_networks           many networks in many threads
        ending                  programs that end while daemon threads train
        limits                  affinity, control groups, threadpoolctl, rest
    processes                   forks at any moment, start methods, interpreters
        work                    the calls that a thread repeats
        forks                   forks in the middle of calls
        forked                  a child by fork, and how it ended
        pools                   networks to and from processes
        subinterpreters         several interpreters in one process
    interrupts                  interrupts at any point of calls that change something
        interrupting            ways to interrupt a call
        changing                a call, the states that it may leave, its faults
        changes                 calls that change a network
        changes_of_files        calls that write and read files
        changes_of_estimators   calls that train several networks or an estimator
    lost_processes              a fit on several processes, one of which is killed
        killed_run              the program of these processes

Failing memory and disks::

    allocations                 the k-th allocation of a call fails
        allocating              the calls, and the states that they may leave
        failing_memory          memory that fails, in C for LD_PRELOAD, and from Python
    disks                       full disks, failing system calls, killed processes
        disk_calls              calls that write files
        failing_disk            a disk that fails, in C for LD_PRELOAD

Memory safety::

    memory_safety               no access to memory of others, and no leak
        hooks                   objects that lie, or change what a call works on
        engine_arguments        wrong arrays for each method of the engine
        kernel_hooks            numbers that resize the arrays of a kernel
        random_calls            random networks, calls and arrays
        guard_pages             arrays between pages that cannot be read
        edge_sizes              a short program for valgrind
        leaks                   memory after many fits
        guided                  changed files, guided by the lines that they reach
    pickles                     damaged pickles of every class
        pickled                 objects, one of each class
        altered                 pickles with other bytes, or other values
        hostile                 the other values
        uses                    what is done with a loaded object
        children                trials in child processes, whose crashes and hangs count

Inputs::

    inputs                      every form of data, for every public call
        call                    a public call with one argument left open
        input_calls             all these calls
        calls_of_...            of networks, functions, kernels, estimators, graphs
        input_forms             all forms in which numbers come
        forms_of_...            of arrays, objects and other libraries

Numbers::

    numbers                     errors at extreme inputs and in long sums
        exact                   losses, norms and metrics in extended precision
        rounding                extreme numbers, errors in machine epsilons
        means                   metrics, and means over many rows
        speed                   the time of steps on subnormal numbers
"""
