"""MLPClassifier and MLPRegressor: the fitted models of scikit-learn's classes, sooner.

Checks, initial weights, the rules of early stopping and of learning rates are
scikit-learn's own code; steps, losses and predictions are this library's.  In the
source::

    classes          both classes
    predictions      their outputs, classes and targets
    stochastic       "sgd" and "adam": scikit-learn's epochs, this library's steps
    full_batch       loss and gradient of all data, for "lbfgs"
    fallback         training by scikit-learn itself, where the engine cannot do it
    trained          the learner behind coefs_ and intercepts_
    objective        scikit-learn's objective in terms of this library's
    log_loss         its losses of clipped probabilities
"""

from bpcore.sklearn.drop_in.classes import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
