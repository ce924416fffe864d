"""Training: the learner of a network, and `fit`, its loop over epochs."""
