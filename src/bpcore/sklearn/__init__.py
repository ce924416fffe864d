"""Estimators for scikit-learn: ``pip install bpcore[sklearn]`` installs it too.

``MLPClassifier`` and ``MLPRegressor`` take the place of scikit-learn's classes of the
same name: change one import, get the same fitted model, sooner.  In the source::

    drop_in          both classes
    predictions      their outputs, classes and targets
    stochastic       "sgd" and "adam": scikit-learn's epochs, this library's steps
    full_batch       loss and gradient of all data, for "lbfgs"
    fallback         training by scikit-learn, where the engine cannot
    trained          the learner behind coefs_ and intercepts_
    objective        scikit-learn's objective in terms of this library's
    log_loss         its losses of clipped probabilities
"""

from bpcore.sklearn.drop_in import MLPClassifier, MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
