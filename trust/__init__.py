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
    pickles     damaged pickles of every class; with altered (trees and bytes), hostile
                (values), pickled (objects), uses (what is done with them)
    children    trials in child processes, whose crashes and hangs count
"""
