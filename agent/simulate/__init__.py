"""`agent simulate`: plant, collector and site server as children, and the judgement at the end."""
