"""Networks in several threads and processes.

Its modules, each above those that it imports::

    one_network        one network in many threads
    many_networks      many networks in many threads
    ending             programs that end while daemon threads train
    limits             affinity, control groups, threadpoolctl, rest
    forks              forks in the middle of calls
    pools              networks to and from processes
    subinterpreters    several interpreters in one process
    killed_run         a fit on several processes, of which one is killed
    work               the calls that a thread repeats
"""
