"""Estimators for tables as they come: numbers, categories, holes.

    from bpcore.tabular import Classifier, Regressor

    model = Classifier(random_state=0).fit(frame, y)
    model.predict_proba(frame)

Needs NumPy only; frames of pandas and polars are read where they are installed.
"""

from bpcore.tabular.classifier import Classifier
from bpcore.tabular.regressor import Regressor

__all__ = ["Classifier", "Regressor"]
