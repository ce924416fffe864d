"""Memory and disks that fail.

calls      calls during which memory fails, and the states that they may leave
memory     memory that fails, in C for LD_PRELOAD, and from Python
writers    calls that write files
disk       a disk that fails, in C for LD_PRELOAD
"""
