"""Calls that change something, and interrupts of them.

Its modules, each above those that it imports::

    files           calls that write and read files
    estimators      calls that train several networks or an estimator
    networks        calls that change a network
    change          a call, the states that it may leave, its faults
    interrupting    ways to interrupt a call
"""
