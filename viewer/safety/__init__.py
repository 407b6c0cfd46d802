"""Gases, detectors, critical control points and the chained log, as pages show them. Pure."""
