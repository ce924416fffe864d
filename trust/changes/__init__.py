"""Calls that change something, and interrupts of them.

networks        calls that change a network
files           calls that write and read files
estimators      calls that train several networks or an estimator
change          a call, the states that it may leave, its faults
interrupting    ways to interrupt a call
"""
