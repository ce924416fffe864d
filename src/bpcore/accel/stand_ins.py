"""The classes that are put in the place of scikit-learn's: drop-ins with its names.

Pickles name a class by its module and name, which are those of scikit-learn's class.
"""

from __future__ import annotations

from typing import Any

from sklearn import neural_network

from bpcore import sklearn as drop_ins


class StandIn:
    """What both classes add to the drop-ins: how they are recognised and pickled."""

    #: The class of scikit-learn that a stand-in replaces; its subclasses inherit it.
    replaced: type

    @classmethod
    def __subclasshook__(cls, other: type) -> Any:
        """Count subclasses of the replaced class as subclasses of its stand-in.

        So ``isinstance`` holds for estimators made before `install`.
        """
        return (cls.replaced if is_stand_in(cls) else cls) in other.__mro__

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Reduce to the class that has the name now.

        After `uninstall` it is scikit-learn's own, and pickle would refuse another
        class of the same name.
        """
        own = type(self)
        now = getattr(neural_network, own.__name__, own)
        if not is_stand_in(own) or now is own:
            return super().__reduce_ex__(protocol)
        return now, (), self.__getstate__()


def is_stand_in(own: type) -> bool:
    """Whether a class is a stand-in itself, not a subclass that a user has defined."""
    return "replaced" in vars(own)


def stand_in(drop_in: type, replaced: type) -> Any:
    """A drop-in under the name of the class that it replaces."""
    about = {
        "__module__": replaced.__module__,
        "__qualname__": replaced.__qualname__,
        "__doc__": drop_in.__doc__,
        "replaced": replaced,
    }
    return type(replaced)(replaced.__name__, (StandIn, drop_in), about)


#: The stand-ins by name.
STAND_INS: dict[str, Any] = {
    name: stand_in(getattr(drop_ins, name), getattr(neural_network, name))
    for name in ("MLPClassifier", "MLPRegressor")
}
