"""Optimizers of every kind, for tables of tests."""

import bpcore as bp

#: Each with a rate at which it learns, and every option at least once.
OPTIMIZERS = [
    bp.SGD(0.05),
    bp.SGD(0.05, l1=1e-3, weight_decay=1e-3),
    bp.SGD(0.05, momentum=0.9, dampening=0.5),
    bp.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-2, decoupled=True),
    bp.SGD(0.05, momentum=0.9, clip_value=1e-3),
    bp.SGD(0.05, momentum=0.9, clip_norm=1e-2),
    bp.SGD(0.05, max_norm=0.8),
    bp.SGD(0.05, biases={"momentum": 0.5, "lr_factor": 2.0}),
    bp.Momentum(0.05),
    bp.RMSprop(1e-3, momentum=0.5, centered=True),
    bp.RMSprop(1e-3),
    bp.Adagrad(1e-2, lr_decay=1e-3, initial_accumulator=0.1),
    bp.Adam(1e-2, weight_decay=1e-2, biases={"weight_decay": 0.0}),
    bp.AdamW(1e-2, l1=1e-3),
    bp.AMSGrad(1e-2),
    bp.Nadam(1e-2),
    bp.Adamax(1e-2),
    bp.RAdam(1e-2, decoupled=True, weight_decay=0.1),
    bp.Lion(1e-3, weight_decay=0.1),
    bp.Rprop(1e-2),
]
