"""Mini-batches from arrays and iterables, and the weights of their rows."""
