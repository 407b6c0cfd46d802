"""A foreign PLC, a broker, a store and a bridge, as the end-to-end tests have them."""

from tests.e2e.conftest import places, plc

__all__ = ["places", "plc"]
