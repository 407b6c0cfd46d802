"""Faults of the plant: generic ones that act on a device or one of its signals, and each line's own.

`values` and `links` hold the generic ones, `table` names them all, `orders` reads what is asked for, `board` begins and
ends them at steps of the plant. Each is in the truth log with its start and its end.
"""
