"""scikit-learn's neural networks trained by bpcore, without a change of the program.

::

    python -m bpcore.accel script.py arguments ...
    python -m bpcore.accel -m module arguments ...
    python -m bpcore.accel -c code arguments ...

run a program as ``python`` does, after `install`.  From within a program::

    import bpcore.accel
    bpcore.accel.install()      # before the imports from scikit-learn
    from sklearn.neural_network import MLPClassifier

Both put the drop-ins of ``bpcore.sklearn`` in the place of
``sklearn.neural_network.MLPClassifier`` and ``MLPRegressor``, and the logger
``"bpcore.accel"`` says so in one line.  What then holds:

- The classes keep their names and modules, and ``isinstance`` with them is that of
  scikit-learn's classes, also for estimators made before.
- Pickles (``pickle``, ``joblib``, ``cloudpickle``) name scikit-learn's classes only.
  They load as plain scikit-learn's where bpcore is not installed or `install` has not
  been called, and as drop-ins where it has.
- Processes of joblib (its backends loky and multiprocessing) use the drop-ins while the
  process that sends them work does.  In processes started in other ways, call
  `install` there, for example as the `initializer` of a pool.  A process that is forked
  has what its parent has.
- What was made before keeps its classes: estimators, pipelines and searches that hold
  some, subclasses, and names that a module has imported with ``from``.  A logged
  warning names these modules.
- Where the drop-ins cannot take the place, scikit-learn's own classes stay, and a
  logged warning says why: scikit-learn is not installed, older than 1.7, or has
  changed what they replace.

In the source::

    patch            install, installed, uninstall
    stand_ins        the classes that are put in the place of scikit-learn's
    compatibility    whether this release of scikit-learn is one they fit
    workers          joblib's processes
    run              programs, as ``python`` runs them
"""

from bpcore.accel.patch import install, installed, uninstall

__all__ = ["install", "installed", "uninstall"]
