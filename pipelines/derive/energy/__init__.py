"""Electric energy and CO2 of machines: per hour, per lot and per piece."""
