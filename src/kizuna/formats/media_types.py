"""Media types of the formats, apart from the modules that read them: those load GDAL and sarkit, and a name needs neither."""

from __future__ import annotations

__all__ = ["COG", "CPHD", "CRSD", "GEOTIFF", "PNG", "SAFE", "SICD", "SIDD", "STAC_ITEM", "WEBP"]

SICD = "application/vnd.nga.sicd+nitf"
SIDD = "application/vnd.nga.sidd+nitf"
CPHD = "application/vnd.nga.cphd"
CRSD = "application/vnd.nga.crsd"
SAFE = "application/zip"
GEOTIFF = "image/tiff; application=geotiff"
COG = "image/tiff; application=geotiff; profile=cloud-optimized"
STAC_ITEM = "application/geo+json"
PNG = "image/png"
WEBP = "image/webp"
