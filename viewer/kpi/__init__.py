"""Key performance indicators: pure functions from stored columns to figures that say what they are made of."""
