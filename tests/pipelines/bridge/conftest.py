"""One influxd for all tests of the bridge."""

from tests.services.influxd import influxd

__all__ = ["influxd"]
