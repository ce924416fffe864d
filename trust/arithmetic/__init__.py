"""Results in floating point against more precise ones.

Its modules, each above those that it imports::

    losses       errors of losses and of softmax
    norms        errors of norms and of the moments of batch norm
    metrics      errors of metrics
    means        errors of means over many rows
    speed        the time of steps on subnormal numbers
    ulp          errors of elementary functions, in units of the last place
    functions    elementary functions: formulas of more precision, exact values
    exact        losses, softmax, norms and moments in extended precision
    rounding     extreme numbers, errors in machine epsilons
"""
