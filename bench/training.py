"""Time training steps with other settings, and a plain step; and single rows.

python -m bench.training 784-128-10 --batch 128 --json training.json

The plain step is SGD with momentum on relu units. Each variant differs from it in one
setting, is first compared with the reference, and then timed interleaved with it.
"""

import argparse
from functools import partial

import numpy as np

import bpcore

from . import machine, pinning, records, report, verdicts, verify
from .case import LEARNING_RATE, MOMENTUM, Case
from .command import add_settings, net_name
from .peers import bpcore as own
from .peers import reference
from .timing import Spread, interleave

_MOMENTUM = {"lr": LEARNING_RATE, "momentum": MOMENTUM}

#: Different settings, by name. Learning rates are such that no unit dies.
VARIANTS = {
    "plain": {},
    "Adam": {"optimizer": bpcore.Adam(1e-4)},
    "AdamW": {"optimizer": bpcore.AdamW(1e-4)},
    "AMSGrad": {"optimizer": bpcore.AMSGrad(1e-4)},
    "Nadam": {"optimizer": bpcore.Nadam(1e-4)},
    "RMSprop": {"optimizer": bpcore.RMSprop(1e-4)},
    "Lion": {"optimizer": bpcore.Lion(1e-4)},
    "clip_norm": {"optimizer": bpcore.SGD(**_MOMENTUM, clip_norm=1.0)},
    "max_norm": {"optimizer": bpcore.SGD(**_MOMENTUM, max_norm=3.0)},
    "dropout": {"dropout": 0.5},
    "batch norm": {"norm": "batch"},
    "layer norm": {"norm": "layer"},
    "input noise": {"input_noise": 0.01},
    "gelu": {"activation": "gelu"},
    "silu": {"activation": "silu"},
}

#: Tolerances where noise has another quantile function, or a step depends on a sign.
_LOOSE = {"input noise": 1e-2, "Lion": 2e-2}

NETS = (("784-128-10", 1), ("784-128-10", 32), ("784-128-10", 128))

#: Networks for `learn_one` and `predict_one`.
SINGLE = ("2-16-2", "4-64-64-2", "784-128-10")


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(isa=options.isa)
    where = machine.describe()
    print(machine.headline(where) + "\n")
    cases = [Case(net, options.batch) for net in options.nets] or [
        Case(*line) for line in NETS
    ]
    results = []
    for case in cases:
        results.append(variants(case, options.seconds))
        print(f"{table(results[-1:])}\n", flush=True)
    if not options.nets:
        singles = [single(Case(net, 1), options.seconds) for net in SINGLE]
        print(f"{single_table(singles)}\n")
        results += singles
    print(report.disturbance(results))
    settings = {"task": "training", "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table('training', record)}")
    if options.json:
        records.write(options.json, record)


def variants(case, seconds):
    """Verify every variant of a step, then time all of them.

    Returns
    -------
    dict
        The figures of one case, as JSON data except for the spreads.
    """
    chosen = {
        name: settings
        for name, settings in VARIANTS.items()
        if case.batch > 1 or name != "batch norm"
    }
    steps = {}
    for name, settings in chosen.items():
        error_of = verify.training(case, partial(reference.Peer, **settings))
        peer = own.Peer(case, n_threads=1, **settings)
        error = error_of(peer)
        if not error <= _LOOSE.get(name, verify.MOVEMENT[case.dtype]):
            raise SystemExit(
                f"{case}: {name} differs by {error:.1e} from the reference"
            )
        steps[name] = peer.step
    samples, robbed = interleave(steps, seconds * len(steps) / 2)
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "robbed": robbed,
        "variants": {
            name: {
                "seconds": Spread.of(times),
                "over_plain": Spread.of(times / samples["plain"]),
            }
            for name, times in samples.items()
        },
    }


def table(results):
    """One line for each net and variant."""
    rows = [("net", "batch", "variant", "us", "quartiles", "over plain", "quartiles")]
    for result in results:
        for name, figures in result["variants"].items():
            rows.append(
                (
                    result["net"],
                    str(result["batch"]),
                    name,
                    *report.microseconds(figures["seconds"]),
                    *report.ratio(figures["over_plain"]),
                )
            )
    return report.table(rows)


def single(case, seconds):
    """Time `learn_one` and `train_step`, and `predict_one` and `predict`.

    Returns
    -------
    dict
        The figures of one network, as JSON data except for the spreads.
    """
    peers = [own.Peer(case, n_threads=1) for _ in range(2)]
    nets = [peer._net for peer in peers]
    x, label = case.X[0].copy(), int(case.y[0])
    actions = {
        "learn_one": partial(nets[0].learn_one, x, label),
        "train_step": partial(nets[1].train_step, case.X, case.y),
        "predict_one": partial(nets[0].predict_one, x),
        "predict": partial(nets[1].predict, x),
    }
    actions["learn_one"](), actions["train_step"]()
    if not verify.same_bits(*peers) or not np.array_equal(
        actions["predict_one"](), actions["predict"]()
    ):
        raise SystemExit(f"{case}: one row alone gives other bits than a mini-batch")
    samples, robbed = interleave(actions, seconds)
    return {
        "net": case.net,
        "batch": case.batch,
        "dtype": case.dtype,
        "robbed": robbed,
        "single": {
            name: {
                "seconds": Spread.of(samples[name]),
                "over_usual": Spread.of(samples[name] / samples[usual]),
            }
            for name, usual in (("learn_one", "train_step"), ("predict_one", "predict"))
        },
    }


def single_table(results):
    """One line for each net and method."""
    rows = [("net", "method", "us", "quartiles", "over a mini-batch of 1", "quartiles")]
    for result in results:
        for name, figures in result["single"].items():
            rows.append(
                (
                    result["net"],
                    name,
                    *report.microseconds(figures["seconds"]),
                    *report.ratio(figures["over_usual"]),
                )
            )
    return report.table(rows)


def both_tables(results):
    """Both tables of this command."""
    steps = [result for result in results if "variants" in result]
    singles = [result for result in results if "single" in result]
    return f"{table(steps)}\n\n{single_table(singles)}"


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.training",
        description="Time optimizers, dropout and others, and a plain step.",
    )
    add = parser.add_argument
    add("nets", nargs="*", type=net_name, metavar="NET", help="the whole table if none")
    add("--batch", type=int, default=128, metavar="N", help="rows, for a net given")
    add("--isa", metavar="NAME", help="instruction set for bpcore, as in x86_64_v3")
    add_settings(add, 3.0)
    return parser


if __name__ == "__main__":
    main()
