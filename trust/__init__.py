"""Campaigns: every promise of the library tried under the conditions that break it.

    python -m trust.NAME [--seconds S] [--json FILE]
    python -m trust.summary

A campaign tries one promise many times, in long form for ``make trust``; the tests have
a short form of each, which calls the same functions. It prints one line per kind of
trial: how many were tried and how many failed; a failure prints how to repeat it, and
the exit status is then 1. With ``--json FILE`` it also writes the counts and the
machine. ``make trust`` writes to ``trust/results/<cpu>``, and `summary` writes the
figures of these files into docs/trust.md.

    campaign    a campaign's command line, its counts and its file
    summary     the tables of docs/trust.md

    inputs      every form of data: a right result or the documented error
    numbers     errors at extreme inputs and in long sums; the time of subnormal ones

and what they are made of::

    call, input_calls, calls_of_...    public calls that take data
    input_forms, forms_of_...          forms in which numbers come
    exact, rounding, means, speed      extended precision, errors, sums, times
"""
