"""Events and alarms: which, by which filter, and as what."""
