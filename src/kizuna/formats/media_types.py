"""Media types of the formats, apart from the modules that read them: those load GDAL and sarkit, and a name needs neither."""

from __future__ import annotations

__all__ = ["COG", "GEOTIFF", "PNG", "SICD", "WEBP"]

SICD = "application/vnd.nga.sicd+nitf"
GEOTIFF = "image/tiff; application=geotiff"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
PNG = "image/png"
WEBP = "image/webp"
