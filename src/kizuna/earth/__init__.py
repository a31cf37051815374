"""WGS 84 and local scenes: where things are."""
