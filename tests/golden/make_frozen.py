"""Make frozen.npz and frozen.json beside this script; it needs PyTorch, no test does.

The optimizers of ``make_golden.py`` on the same net and data, while layers are frozen
and thawed again (``requires_grad`` in PyTorch).
"""

import json

import numpy as np
from make_golden import (
    CASES,
    FOLDER,
    N_IN,
    N_OUT,
    N_ROWS,
    arrays,
    dataset,
    flat,
    load,
    mini_batches,
    nn,
    torch,
    torch_optimizer,
    train,
    uniform,
)

#: From which step on which layer is frozen, None for neither.
FROZEN = {1: 0, 11: None, 16: 1, 26: None}
KEPT = (10, 11, 15, 25, 26, 40)
NAMES = (
    "sgd_dampening",
    "sgd_nesterov",
    "rmsprop_centered_momentum",
    "adagrad_lr_decay",
    "adam_large",
    "adamw_large",
    "amsgrad_large",
    "nadam_momentum_decay",
    "adamax_large",
    "radam_betas_eps",
    "rprop_large",
)


def trajectory(case, X, y, initial):
    """The parameters after each step that is kept."""
    model = nn.Sequential(nn.Linear(N_IN, 7), nn.Tanh(), nn.Linear(7, N_OUT))
    load(model, initial)
    optimizer = torch_optimizer(case, model.parameters())
    steps = train(model, optimizer, mini_batches(X, y, case["batch_size"]))
    kept = []
    for step in range(1, KEPT[-1] + 1):
        if step in FROZEN:
            for l, layer in enumerate((model[0], model[2])):
                layer.requires_grad_(l != FROZEN[step])
                layer.zero_grad()
        next(steps)
        if step in KEPT:
            kept.append(flat(arrays(model)))
    return np.stack(kept)


def main():
    torch.set_default_dtype(torch.float64)
    rng = np.random.default_rng(1)
    X, y = dataset(rng, N_ROWS)
    shapes = ((N_IN, 7), (7,), (7, N_OUT), (N_OUT,))
    initial = [uniform(rng, *shape) for shape in shapes]
    chosen = [case for case in CASES if case["name"] in NAMES]
    found = {case["name"]: trajectory(case, X, y, initial) for case in chosen}
    np.savez_compressed(FOLDER / "frozen.npz", **found)
    plan = {"frozen": FROZEN, "kept": KEPT}
    (FOLDER / "frozen.json").write_text(json.dumps(plan) + "\n")


if __name__ == "__main__":
    main()
