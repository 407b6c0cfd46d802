"""Modbus: polled registers and bits."""
