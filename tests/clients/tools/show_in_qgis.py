"""Open a node's layers in QGIS and draw them: `show_in_qgis.py REQUEST` (Debian's Python, with python3-qgis).

The request is a JSON file: address of the STAC API, user and password (Basic), an item, an address of its image, and a folder for
pictures. What was found goes to stdout as JSON.
"""

import json
import sys
from pathlib import Path
from urllib.parse import quote

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QSize
from qgis.PyQt.QtGui import QColor

SIDE = 256
MERCATOR = QgsCoordinateReferenceSystem("EPSG:3857")


def picture(layers, extent, crs, path):
    """Draw layers and keep the picture."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(crs)
    settings.setExtent(extent)
    settings.setOutputSize(QSize(SIDE, SIDE))
    settings.setBackgroundColor(QColor(255, 0, 255))
    job = QgsMapRendererParallelJob(settings)
    wait = QEventLoop()
    job.finished.connect(wait.quit)
    job.start()
    if job.isActive():
        wait.exec_()
    job.renderedImage().save(str(path))


def main(request):
    user, password, url = request["user"], request["password"], request["url"]
    folder = Path(request["folder"])
    basic = f" username='{user}' password='{password}'" if user else ""
    told = {"version": Qgis.QGIS_VERSION}
    features = QgsVectorLayer(f"url='{url}' typename='imagery' version='OGC_API_FEATURES' pageSize='3'{basic}", "items", "OAPIF")
    told["oapif"] = features.isValid()
    told["ids"] = [feature["id"] for feature in features.getFeatures()] if features.isValid() else []
    crs84 = QgsCoordinateReferenceSystem("EPSG:4326")
    extent = QgsCoordinateTransform(crs84, MERCATOR, QgsProject.instance()).transformBoundingBox(features.extent())
    picture([features], extent.buffered(100), MERCATOR, folder / "features.png")
    asked = f"&username={quote(user)}&password={quote(password)}" if user else ""
    for name, source in request["tiles"].items():
        layer = QgsRasterLayer(source + asked, name, "wms")
        told[name] = layer.isValid()
        if not layer.isValid():
            told[name + "-error"] = layer.error().summary()
        picture([layer], extent.buffered(100), MERCATOR, folder / f"{name}.png")
    if password:
        gdal.SetConfigOption("GDAL_HTTP_AUTH", "BASIC")
        gdal.SetConfigOption("GDAL_HTTP_USERPWD", f"{user}:{password}")
    image = QgsRasterLayer("/vsicurl/" + request["image"], "image", "gdal")
    told["cog"] = image.isValid()
    if image.isValid():
        picture([image], image.extent(), image.crs(), folder / "cog.png")
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    application = QgsApplication([], False)
    application.initQgis()
    try:
        main(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    finally:
        application.exitQgis()
