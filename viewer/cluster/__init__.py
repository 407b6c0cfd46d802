"""디지털 클러스터: what suppliers share with a company that orders from them, and what it then sees."""
