"""`agent record`: what devices answer, written down as it comes."""
