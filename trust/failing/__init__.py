"""Memory and disks that fail.

Its modules, each above those that it imports::

    calls      calls during which memory fails, and the states that they may leave
    writers    calls that write files
    disk       a disk that fails, in C for LD_PRELOAD
    memory     memory that fails, in C for LD_PRELOAD, and from Python
    others     whose fault it is: of bpcore, or of another library
"""
