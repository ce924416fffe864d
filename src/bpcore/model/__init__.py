"""What a network is: its design, where its numbers lie, its state and its learner."""
