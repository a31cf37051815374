"""Bytes <-> values: SICD, GeoTIFF, Gotcha phase history, agreement and label files. It reads open files, never a path."""
