"""What is missing, and how the server's own history fills it."""
