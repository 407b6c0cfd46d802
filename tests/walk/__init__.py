"""Every page, in both languages, over the simulated lines, in a real browser."""
