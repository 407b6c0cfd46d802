"""Tests of second-life batteries: steps, figures and grades from the curves of a cycler."""
