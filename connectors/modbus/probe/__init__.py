"""The Modbus doctor: what a device has, and how its bytes are to be read."""
