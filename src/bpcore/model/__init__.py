"""The data of a network: its design, layout and state, and how they are stored."""
