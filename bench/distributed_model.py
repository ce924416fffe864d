"""A model of steps on several processes, and its tables.

It takes from measurements on this machine the seconds of a row, of the optimizer's step
and of a message, and the bandwidth from the network.  Its step on P processes::

    T = rows C / P + U / P + 2 (P - 1) / P (G / bandwidth + G / copy) + 2 (P - 1) M

with G bytes of gradient, which each process sends in parts, and receives as parameters.
"""

from . import report

#: Bytes a second of 1, 10 and 100 Gb/s, and of copies in memory, on both sides.
NETWORKS = {"1 Gb/s": 1.25e8, "10 Gb/s": 1.25e9, "100 Gb/s": 1.25e10}
COPY = 4e9
#: Seconds of a message on a network: of its latency, and of the library's code.
LATENCY = 20e-6


class Model:
    """Seconds of a step of one network.

    Parameters
    ----------
    alone : dict
        Measurement of one process: seconds of a step and its update, rows, parameters.
    """

    def __init__(self, alone):
        self.bytes = 4 * alone["parameters"]
        self.update = alone["update"]
        self.row = (alone["step"] - alone["update"]) / alone["rows"]

    def exchange(self, processes, bandwidth):
        """Seconds of the exchanges of a step."""
        share = (processes - 1) / processes
        transfer = 2 * share * self.bytes * (1 / bandwidth + 1 / COPY)
        return transfer + 2 * (processes - 1) * LATENCY

    def step(self, rows, processes, bandwidth, cores=1 << 20):
        """Seconds of a step of so many rows, on at most so many cores."""
        work = (rows * self.row + self.update) / min(processes, cores)
        return work + self.exchange(processes, bandwidth) * (processes > 1)

    def least_rows(self, processes, bandwidth):
        """Rows of a step from which so many processes are as fast as one."""
        saved = 1 - 1 / processes
        cost = self.exchange(processes, bandwidth) - saved * self.update
        return max(0.0, cost / (saved * self.row))


def break_even(models):
    """Rows of a step from which several processes are faster; models by net."""
    rows = [["rows a step to break even", "processes", *NETWORKS]]
    for net, of_net in models.items():
        for count in (2, 8, 64):
            spans = []
            for speed in NETWORKS.values():
                least = [model.least_rows(count, speed) for model in of_net]
                spans.append(f"{min(least):,.0f} to {max(least):,.0f}")
            rows.append([net, str(count), *spans])
    return report.table(rows)


def weak_scaling(models):
    """The share of the time that is work, with 256 rows a step in each process."""
    rows = [["work at 256 rows a process", "processes", *NETWORKS]]
    for net, of_net in models.items():
        for count in (4, 32, 256, 1024):
            spans = []
            for speed in NETWORKS.values():
                shares = [
                    (256 * model.row + model.update)
                    / model.step(256 * count, count, speed)
                    for model in of_net
                ]
                spans.append(f"{min(shares):.0%} to {max(shares):.0%}")
            rows.append([net, str(count), *spans])
    return report.table(rows)


def crossing(rows, alone, several):
    """The rows at which several processes are as fast as one, between those measured.

    Parameters
    ----------
    rows : sequence of int
        In ascending order.
    alone, several : sequences of float
        Seconds of a step of so many rows.

    Returns
    -------
    str

    Examples
    --------
    >>> crossing([100, 300], [1.0, 3.0], [2.0, 2.0])
    '200'
    """
    gains = [a - b for a, b in zip(alone, several, strict=True)]
    if gains[0] >= 0:
        return f"below {rows[0]:,}"
    for i in range(1, len(rows)):
        if gains[i] >= 0:
            share = -gains[i - 1] / (gains[i] - gains[i - 1])
            return f"{rows[i - 1] + share * (rows[i] - rows[i - 1]):,.0f}"
    return f"above {rows[-1]:,}"
