"""Extensions of Sphinx for these pages.

::

    chinese         the Chinese edition: its search, links to English pages
    formulas        tables of activations, losses, metrics: from the library itself
    gallery         pictures and arguments of the examples
    linked_names    names in code become links
    performance     the page of measurements, written before the pages are read
    plain_text      docstrings as they are read
    source          the address of an object's source
"""
