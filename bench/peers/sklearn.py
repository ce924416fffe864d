"""scikit-learn's multilayer perceptron."""

from functools import partial

import numpy as np
from sklearn import set_config
from sklearn.neural_network import MLPClassifier

from ..case import LEARNING_RATE, MOMENTUM

set_config(assume_finite=True, skip_parameter_validation=True)


class Peer:
    """``MLPClassifier.partial_fit`` on one mini-batch, and ``predict_proba``.

    Initial weights cannot be passed, so a first fit builds the network, and its weights
    are overwritten. For two classes it would use one logistic output; with targets of
    two labels it has two outputs, which are then changed to softmax.
    """

    title = "scikit-learn"

    def __init__(self, case):
        n_classes = case.sizes[-1]
        model = MLPClassifier(
            hidden_layer_sizes=case.sizes[1:-1],
            activation="relu",
            solver="sgd",
            learning_rate_init=LEARNING_RATE,
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            alpha=0.0,
            batch_size=case.batch,
            shuffle=False,
        )
        targets = np.eye(2, dtype=int)[case.y] if n_classes == 2 else case.y
        model.partial_fit(case.X, targets, classes=np.arange(n_classes))
        model.out_activation_ = "softmax"
        self._model = model
        for own, given in zip(self.parameters(), case.parameters, strict=True):
            own[...] = given
        for velocity in model._optimizer.velocities:
            velocity[...] = 0
        self.step = partial(model.partial_fit, case.X, targets)
        self.predict = partial(model.predict_proba, case.X)

    def parameters(self):
        return self._model.coefs_ + self._model.intercepts_
