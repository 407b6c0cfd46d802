"""What leaves the edge towards others than the own store: by destination and tag, and nothing else."""
