"""Damaged pickles.

Its modules, each above those that it imports::

    uses       what is done with a loaded object
    objects    objects, one of each class
    flipped    pickles with other bytes
    trees      pickles with other values
    hostile    the other values
"""
