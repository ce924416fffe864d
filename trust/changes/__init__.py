"""Calls that change something, and interrupts of them.

Its modules, each above those that it imports::

    files           calls that write and read files
    estimators      calls that train several networks or an estimator
    networks        calls that change a network
    drop_ins        calls of the drop-ins for scikit-learn, their installation
    records         backward passes of expressions, frames of films
    change          a call, the states that it may leave, its faults
    interrupting    ways to interrupt a call
"""
