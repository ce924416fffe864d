"""Forms in which data come.

Its modules, each above those that it imports::

    table        all of them, and wrong shapes
    libraries    tables and arrays of other libraries
    objects      Python's objects, and what no call may take
    arrays       NumPy's arrays: memory, subclasses, dtypes
"""
