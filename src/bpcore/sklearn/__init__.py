"""Estimators for scikit-learn: ``pip install "bpcore[sklearn]"`` has both.

``MLPClassifier`` and ``MLPRegressor`` take the place of scikit-learn's classes of the
same name: change one import, get the same fitted model, sooner.  ``Classifier`` and
``Regressor`` have this library's parameters, losses and optimizers::

    from bpcore.sklearn import Classifier
    Classifier(hidden_layer_sizes=(64, 32), epochs=20).fit(X, y).score(X_test, y_test)

``import bpcore`` does not import this package, and nothing outside it imports
scikit-learn.  In the source::

    drop_in          the folder of MLPClassifier and MLPRegressor
    exchange         a network of scikit-learn's as one of these estimators
    classifier       Classifier
    regressor        Regressor
    exported         an estimator as one of scikit-learn's
    base             common base: parameters, fit, predictions
    networks         networks from the parameters of an estimator
    file             estimators in native files
    settings         optimizers and schedules by name
    fitted           attributes of a fitted estimator
    targets          protocol of the two below: targets and outputs of a network
    labels           classes and labels
    columns          numbers
    stopping         early stopping over several calls
    callbacks        scikit-learn's own callbacks
    data             arguments of a call of fit
    shared           signature and documentation of shared parameters
    unchanged        an estimator as it was, after an error
"""

try:
    import sklearn  # noqa: F401 -- for the message
except ImportError as error:
    raise ImportError(
        'bpcore.sklearn needs scikit-learn: pip install "bpcore[sklearn]"'
    ) from error

from bpcore.sklearn.classifier import Classifier
from bpcore.sklearn.drop_in import MLPClassifier, MLPRegressor
from bpcore.sklearn.exchange import from_sklearn
from bpcore.sklearn.regressor import Regressor

__all__ = [
    "Classifier",
    "MLPClassifier",
    "MLPRegressor",
    "Regressor",
    "from_sklearn",
]
