"""The English page.

derivative  from the forward pass to the gradient of every weight
update      the update of the weights, momentum, and the whole algorithm
notation    other notations
mistakes    mistakes often found in articles
costs       memory and multiplications
"""

from backpropagation_pages.english import costs, derivative, mistakes, notation, update
from backpropagation_pages.markdown import code, page, shown
from backpropagation_pages.numbers import Numbers
from backpropagation_pages.programs import PROGRAM

#: Comments of the program.
COMMENTS = {
    "first": "so that the velocities are not 0",
    "second": "the second step, with all its numbers",
}


def text(n: Numbers) -> str:
    """The page in English."""
    return page(
        [
            derivative.TITLE,
            code(PROGRAM.substitute(COMMENTS), "python"),
            derivative.GIVEN,
            shown(("X = a[0]", n.t.X), ("y", n.t.y)),
            derivative.forward(n),
            derivative.chain_rule(n),
            derivative.delta(n),
            derivative.gradients(n),
            update.update(n),
            update.momentum(n),
            update.algorithm(n),
            notation.notation(),
            mistakes.mistakes(n),
            costs.memory(n),
            costs.costs(n),
        ]
    )
