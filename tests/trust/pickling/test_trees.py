"""Objects taken apart as pickle does it."""

import pickle

from trust.pickles import can_be_pickled
from trust.pickling import objects, trees

NETS = {"with everything": objects.full_network()}
VALUES = [*NETS.values(), *filter(can_be_pickled, objects.parts(NETS).values())]


def test_trees_are_pickled_as_their_objects():
    for value in VALUES:
        root = trees.tree(value)
        again = pickle.loads(pickle.dumps(root))
        assert trees.text_of(trees.tree(again)) == trees.text_of(root)
