"""The page on backpropagation in two languages, with the numbers of one traced step.

programs    the code on the pages, its comments left open
numbers     the traced step, and every number computed from it
notation    formulas in other notations
mistakes    the same step with mistakes often found in articles
markdown    blocks of code, equations with their values, tables, paragraphs
english, chinese
            the text of each edition
"""
