"""Speed: values per CPU-second of each stage next to the library's own way, in the same run. Tests never measure it."""
