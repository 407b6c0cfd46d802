"""Values with parts: arrays, structures, enumerations, long texts."""
