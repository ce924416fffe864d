"""The library itself."""

from functools import partial

import bpcore

from ..case import LEARNING_RATE, MOMENTUM


class Peer:
    """``bpcore.Network``, with arrays of its dtype.

    Parameters
    ----------
    case : Case
    settings
        Other or additional arguments of the network, such as ``n_threads=2``.
    """

    title = "bpcore"
    network = bpcore.Network

    def __init__(self, case, **settings):
        usual = {
            "activation": "relu",
            "loss": "cross_entropy",
            "optimizer": bpcore.SGD(lr=LEARNING_RATE, momentum=MOMENTUM),
            "dtype": case.dtype,
            "rng": 0,
        }
        net = self.network(list(case.sizes), **usual | settings)
        for own, given in zip(_parameters(net), case.parameters, strict=True):
            own[...] = given
        self._net = net
        self.step = partial(net.train_step, case.X, case.y)
        self.predict = partial(net.predict, case.X)

    def parameters(self):
        return _parameters(self._net)


def _parameters(net):
    return [*net.weights, *net.biases]
