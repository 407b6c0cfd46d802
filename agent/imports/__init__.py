"""A file of a line's history as a plant: its columns, the history as Parquet, and the files to simulate it."""
