"""`agent soak`: a simulated line under a seeded plan of faults, and a report of what held."""
