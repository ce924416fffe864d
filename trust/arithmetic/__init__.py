"""Results in floating point against more precise ones.

functions    elementary functions: formulas of more precision, exact values
ulp          their errors in units of the last place, by every build
exact        losses, softmax, norms and metrics in extended precision
rounding     extreme numbers, errors in machine epsilons
losses       errors of losses and of softmax
norms        errors of norms and of the moments of batch norm
means        errors of metrics and of means over many rows
speed        the time of steps on subnormal numbers
"""
