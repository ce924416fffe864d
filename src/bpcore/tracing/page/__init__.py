"""A step as a page with buttons: one HTML file that needs no network.

::

    document            the page as a file, and in a frame of a notebook
    data                the numbers of a step as the page reads them
    page.html, page.css
    numbers.js          numbers as text and as colours; parts of the page
    phases.js           the phases of a step, and what is known in each
    paths.js            the paths from a weight to the loss
    drawing.js          the network: where everything lies, and its elements
      paint.js            the same elements in the present phase
    units.js            the sums of a unit
    weights.js          the products of a weight along its paths
    tables.js           the numbers of a phase
    page.js             buttons, keys, and the choice of unit, weight and row

The scripts are joined in this order.  They show the numbers of the trace, and compute
only sums and products of them; they never make a step.
"""
