"""The vocabulary, and everything that happens to a reading after it was taken."""
