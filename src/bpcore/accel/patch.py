"""install and uninstall: the drop-ins in the place of scikit-learn's classes."""

from __future__ import annotations

import copyreg
import logging
import os
import sys
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from bpcore.accel.compatibility import obstacle
from bpcore.accel.workers import call_before_batches
from bpcore.interrupts import complete

logger = logging.getLogger("bpcore.accel")

#: The modules of scikit-learn that have the two classes.
MODULES = ("sklearn.neural_network", "sklearn.neural_network._multilayer_perceptron")


class Place(NamedTuple):
    """A name in a module of scikit-learn, and the two classes that it may have."""

    module: Any
    name: str
    theirs: type
    own: type


#: The names that have been replaced.
places: list[Place] = []
#: Held around a fork too: a child's classes are all in place, or none.
lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lock.acquire,
        after_in_parent=lock.release,
        after_in_child=lock.release,
    )


def install() -> bool:
    """Put the drop-ins in the place of scikit-learn's MLPClassifier and MLPRegressor.

    ``sklearn.neural_network`` gives the drop-ins from then on, here and in the
    processes of joblib.  One line of the logger ``"bpcore.accel"`` says so; it is a
    warning if modules had imported the classes before, which keep scikit-learn's.  A
    second call does nothing.

    Where the drop-ins do not fit the installed scikit-learn, its classes stay, and a
    warning of the logger says why.

    Returns
    -------
    bool
        Whether the drop-ins are in place.

    Examples
    --------
    >>> import bpcore.accel
    >>> bpcore.accel.install()
    True
    >>> from sklearn.neural_network import MLPClassifier
    >>> import bpcore.sklearn
    >>> isinstance(MLPClassifier(), bpcore.sklearn.MLPClassifier)
    True
    >>> bpcore.accel.uninstall()
    """
    with lock:
        if places:
            return True
        reason = obstacle()
        if reason is not None:
            logger.warning(
                "scikit-learn's own MLPClassifier and MLPRegressor stay: %s", reason
            )
            return False
        from bpcore.accel.stand_ins import STAND_INS

        found = [
            Place(module, own.__name__, own.replaced, own)
            for own in STAND_INS.values()
            for module in map(sys.modules.__getitem__, MODULES)
        ]
        before = holders(place.theirs for place in found)
        complete(partial(_put, found))
    text = "MLPClassifier and MLPRegressor of sklearn.neural_network are bpcore's now"
    if before:
        logger.warning(
            "%s; to be imported again, since they are still scikit-learn's, in %s",
            text,
            ", ".join(before),
        )
    else:
        logger.info(text)
    return True


def _put(found: list[Place]) -> None:
    """Put the drop-ins in these places; may be repeated after an interrupt."""
    for module, name, theirs, own in found:
        setattr(module, name, own)
        copyreg.pickle(theirs, reduced)
    places[:] = found
    tell_workers()


def installed() -> bool:
    """Whether the drop-ins are in the place of scikit-learn's classes.

    Examples
    --------
    >>> import bpcore.accel
    >>> bpcore.accel.installed()
    False
    """
    return bool(places)


def uninstall() -> None:
    """Put scikit-learn's own classes back.

    Estimators made in between keep working, trained by bpcore; their pickles and copies
    are scikit-learn's.  Without `install` before, it does nothing.

    Examples
    --------
    >>> import bpcore.accel
    >>> bpcore.accel.uninstall()
    """
    with lock:
        if not places:
            return
        complete(partial(_put_back, [*places]))
    logger.info(
        "MLPClassifier and MLPRegressor of sklearn.neural_network are its own again"
    )


def _put_back(found: list[Place]) -> None:
    """Put scikit-learn's classes in these places; may be repeated."""
    for module, name, theirs, own in found:
        if getattr(module, name) is own:  # else a later patch has replaced it
            setattr(module, name, theirs)
        copyreg.dispatch_table.pop(theirs, None)
    places.clear()
    tell_workers()


def reduced(estimator: Any) -> tuple[Any, ...]:
    """An estimator made before `install`, as pickle stores it: by the class in place.

    Pickle names a class, and refuses one of which the name means another.
    """
    return (
        getattr(places[0].module, type(estimator).__name__),
        (),
        estimator.__getstate__(),
    )


def tell_workers() -> None:
    """Have the processes of joblib, some of which stay alive, do what was done here."""
    try:
        call_before_batches(install if places else uninstall)
    except ImportError as error:
        logger.warning("joblib's processes use scikit-learn's own classes: %s", error)


def holders(classes: Iterable[type]) -> list[str]:
    """The names of the modules that have any of the classes.

    Not of scikit-learn's own modules, nor of this package, which means its classes.
    """
    sought = {id(each) for each in classes}
    return sorted(
        name
        for name, module in [*sys.modules.items()]
        if not name.startswith(("bpcore.", "sklearn."))
        and any(
            id(value) in sought for value in [*getattr(module, "__dict__", {}).values()]
        )
    )
