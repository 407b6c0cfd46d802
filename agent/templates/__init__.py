"""Line templates on three axes: the line's `site.yaml` as text, and what scale and level change in it."""
