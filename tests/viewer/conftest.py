"""Fixtures of the viewer's tests."""

from tests.services.influxd import influxd

__all__ = ["influxd"]
