"""Where mini-batches come from: arrays, iterables, and the weights of their rows."""
