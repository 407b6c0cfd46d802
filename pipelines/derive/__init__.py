"""What is derived from readings at the edge: states, counts, cycles; state machines over time, and what feeds them."""
