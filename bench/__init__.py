"""Benchmarks: how fast the library is, and how fast it could be.

Every time is compared with two others, measured in the same run, in the same process,
on the same core: the *floor*, the least time that the arithmetic or the memory traffic
can take on this machine, and the times of *peers*, libraries that a user could choose
instead. Nothing is timed before its result agrees with the reference. A probe of the
front end, in the same rounds, shows whether the core is shared with neighbours.

    python -m bench.step       one training step, called from Python
    python -m bench.predict    one prediction, called from Python
    python -m bench.fann       fit, one sample at a time, and FANN in C
    python -m bench.training   optimizers, dropout, ..., compared with a plain step
    python -m bench.tracing    a traced step, compared with a stored-gradient step
    python -m bench.numerical  a gradient by backpropagation, and by central differences
    python -m bench.kernels    each kernel, for each instruction set of this CPU
    python -m bench.grid       each kernel at sixty layers, in classes
    python -m bench.cache      instructions and cache misses of each kernel, simulated
    python -m bench.sparse     rows that are mostly zeros
    python -m bench.threads    several threads or networks, compared with one
    python -m bench.memory     the peak memory of training, compared with the minimum
    python -m bench.summary    a page and plots of the results of all commands
    python -m bench.cpu        the folder of this CPU's results

Each command except `threads` and `tracing` uses one core, and one thread per library.
Each prints a table, and with ``--json FILE`` writes the same figures, their spread, the
settings and the machine. Run them from the root of the repository, with bpcore
installed; peers that are not installed are left out. ``make bench`` runs them all and
writes their results to ``bench/results/<cpu>``, the folder of this CPU.

The modules, each line using those below it:

    the pages     summary, overview, plot
    commands      step, predict, fann; training; tracing; numerical; threads; memory;
                  kernels, grid, cache; sparse
    measurements  command, compare, peers/; per_sample, fann_driver (.py, .c);
                  abreast, many; footprint, gauges; products, operations,
                  numpy_kernels, bare_products; grid_classes;
                  callgrind, cache_driver
    output        verdicts, targets, grid_targets, target; tables, report, records
    correctness   verify
    limits        floor, yardsticks; front_end, nops.c
    data          case, sparse_rows; layer, grid_shapes
    timing        timing, contention, pinning, machine
    the CPU       cpu, microarchitectures
"""
