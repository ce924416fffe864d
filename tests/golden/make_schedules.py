"""Make schedules.json beside this script, which needs PyTorch; no test does."""

from pathlib import Path

import torch
from torch.optim import lr_scheduler

T = 24
VALUES = [3.0, 2.0, 2.0, 1.9999, 1.9997, 2.1, 2.2, 2.0, 1.5, 1.6, 1.7, 1.6, 1.8, 1.9]
VALUES += [1.4999] * 8
VALUES += [1.0, 0.5, 0.5, 0.5, 0.5, 0.6, 0.5, 3.1, 3.1, 3.2, 3.0, 3.5, 3.6]


def warm_up(optimizer):
    first = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=4)
    then = lr_scheduler.StepLR(optimizer, 3, gamma=0.5)
    return lr_scheduler.SequentialLR(optimizer, [first, then], [4])


def one_cycle(total, rise=0.3, **settings):
    return lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, 0.5, total, pct_start=rise, cycle_momentum=False, **settings
    )


def cosine(*settings, **more):
    return lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(
        optimizer, *settings, **more
    )


#: The names are those of the table in test_schedules.py.
SCHEDULERS = {
    "step decay": lambda optimizer: lr_scheduler.StepLR(optimizer, 3, gamma=0.5),
    "exponential": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9),
    "exponential, growing": lambda optimizer: lr_scheduler.ExponentialLR(
        optimizer, 1.3
    ),
    "polynomial": lambda optimizer: lr_scheduler.PolynomialLR(optimizer, 15, 1.0),
    "polynomial, squared": lambda optimizer: lr_scheduler.PolynomialLR(
        optimizer, 15, 2.0
    ),
    "cosine": cosine(5),
    "cosine, growing": cosine(3, 2, eta_min=0.01),
    "one cycle": one_cycle(T),
    "one cycle, short": one_cycle(T, 0.1, div_factor=10.0, final_div_factor=5.0),
    "one cycle, no rise": one_cycle(T, 0.0),
    "warm-up": warm_up,
}
PLATEAUS = {
    "plateau, default": {"patience": 3},
    "plateau, impatient": {"patience": 0, "factor": 0.5, "threshold": 0.1},
    "plateau, cooldown": {"patience": 1, "factor": 0.5, "cooldown": 3},
    "plateau, least": {"patience": 1, "factor": 0.3, "min_lr": 0.05},
    "plateau, max": {"patience": 2, "factor": 0.5, "mode": "max"},
}


def sgd():
    return torch.optim.SGD([torch.zeros(1)], lr=0.5)


def rates(scheduler_of):
    optimizer = sgd()
    scheduler = scheduler_of(optimizer)
    found = []
    for _ in range(T):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(found) < T:
            scheduler.step()
    return found


def plateau(settings):
    optimizer = sgd()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, eps=0, **settings)
    found = []
    for value in VALUES:
        scheduler.step(value)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def main():
    golden = {"values": VALUES}
    golden |= {name: rates(made) for name, made in SCHEDULERS.items()}
    golden |= {name: plateau(settings) for name, settings in PLATEAUS.items()}
    lines = ",\n".join(f'"{name}": {numbers}' for name, numbers in golden.items())
    Path(__file__).with_name("schedules.json").write_text(f"{{\n{lines}\n}}\n")


if __name__ == "__main__":
    main()
