#!/usr/bin/env python3
"""Build the base map that the pages ship, `basemap.pmtiles`, from Natural Earth 1:10m (public domain).

It holds land, lakes, minor islands, boundary lines, names of seas and of places, zoom 0 to 6; no polygon of any country. A
boundary line that Natural Earth classes as disputed, indefinite or a line of control keeps that class and is drawn dashed;
one that exists only de facto between Crimea and the rest of Ukraine is left out: it is a boundary in nobody's law that kizuna
draws. Needs `cubao-tippecanoe` and `py7zr`, which the script installs into a throw-away environment.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import venv
from itertools import pairwise
from typing import Any

type Feature = dict[str, Any]
type Kept = tuple[dict[str, str | int], int] | None

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/kizuna/web/static/basemap.pmtiles"
TOOLS = ["cubao-tippecanoe==0.0.4", "py7zr==1.0.0"]
MAX_ZOOM = 6
# What Natural Earth shows only nearer than this is left out.
MAX_PLACE_ZOOM = 7
MAX_SEA_RANK = 6
EARLY_ZOOM, LATE_ZOOM = 0, 3

# Natural Earth's classes of boundary lines, and how the map draws them.
BOUNDARY_CLASSES = {
    "International boundary (verify)": "boundary",
    "Disputed (please verify)": "disputed",
    "Indefinite (please verify)": "disputed",
    "Indeterminant frontier": "disputed",
    "Line of control (please verify)": "disputed",
}
# Names that Natural Earth 4.1 (2017) has otherwise than the state that the place lies in writes them today: English, French.
NAMES = {
    ("Kiev", "Ukraine"): ("Kyiv", "Kyiv"),
    ("Odessa", "Ukraine"): ("Odesa", "Odessa"),
    ("Zaporizhzhya", "Ukraine"): ("Zaporizhzhia", "Zaporijjia"),
}
OCEANS_FR = {
    "ARCTIC OCEAN": "Océan Arctique",
    "SOUTHERN OCEAN": "Océan Austral",
    "INDIAN OCEAN": "Océan Indien",
    "NORTH ATLANTIC OCEAN": "Océan Atlantique nord",
    "SOUTH ATLANTIC OCEAN": "Océan Atlantique sud",
    "NORTH PACIFIC OCEAN": "Océan Pacifique nord",
    "SOUTH PACIFIC OCEAN": "Océan Pacifique sud",
}
# West, south, east, north of the isthmus of Perekop and the lagoons beside it.
CRIMEA = (32.5, 45.0, 35.6, 46.4)


def points(geometry: Feature) -> list[list[float]]:
    """Flat list of the geometry's points."""
    flat, todo = [], [geometry["coordinates"]]
    while todo:
        part = todo.pop()
        if isinstance(part[0], int | float):
            flat.append(part)
        else:
            todo.extend(part)
    return flat


def within(geometry: Feature, box: tuple[float, float, float, float]) -> bool:
    """Whether all points lie in `box`."""
    west, south, east, north = box
    return all(west <= p[0] <= east and south <= p[1] <= north for p in points(geometry))


def boundary(feature: Feature) -> Kept:
    """Boundary line with its class alone; None for what is not drawn."""
    kind = BOUNDARY_CLASSES.get(feature["properties"]["featurecla"])
    if kind is None or within(feature["geometry"], CRIMEA):
        return None
    return {"class": kind}, EARLY_ZOOM if feature["properties"]["min_zoom"] <= 1 else LATE_ZOOM


def lake(feature: Feature) -> Kept:
    """Lake, from the zoom at which Natural Earth shows it."""
    return {}, max(0, int(feature["properties"]["min_zoom"]) - 1)


def sea(feature: Feature) -> Kept:
    """Name of a sea, which stands at a point well inside."""
    own = feature["properties"]
    if not own["name"] or own["scalerank"] > MAX_SEA_RANK:
        return None
    name = own["name"].title() if own["name"].isupper() else own["name"]
    rank = int(own["scalerank"])
    return {"name": name, "name_fr": OCEANS_FR.get(own["name"]) or own["name_fr"] or name, "rank": rank}, rank


def place(feature: Feature) -> Kept:
    """Populated place with its rank; the name of its state is left out on purpose."""
    own = feature["properties"]
    zoom = own["min_zoom"]
    if zoom > MAX_PLACE_ZOOM or "station" in own["FEATURECLA"].lower():
        return None
    english, french = NAMES.get((own["NAME"], own["ADM0NAME"])) or (own["NAME_EN"] or own["NAME"], own["NAME_FR"] or own["NAME"])
    return {
        "name": english,
        "name_fr": french,
        "rank": own["SCALERANK"],
        "capital": int(own["FEATURECLA"].startswith("Admin-0 capital")),
    }, min(MAX_ZOOM, int(zoom))


def bare(_feature: Feature) -> Kept:
    """Geometry without properties."""
    return {}, 0


LAYERS = [
    ("land", "ne_10m_land", bare),
    ("land", "ne_10m_minor_islands", lambda _feature: ({}, 5)),
    ("lake", "ne_10m_lakes", lake),
    ("boundary", "ne_10m_admin_0_boundary_lines_land", boundary),
    ("sea", "ne_10m_geography_marine_polys", sea),
    ("place", "ne_10m_populated_places", place),
]


def inside_point(geometry: Feature) -> Feature:
    """Point well inside the largest ring: of a grid over its box, the point farthest from the outline."""
    rings = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    ring = max((polygon[0] for polygon in rings), key=len)
    xs, ys = [p[0] for p in ring], [p[1] for p in ring]
    outline = ring[:: max(1, len(ring) // 200)]

    def clearance(x: float, y: float) -> float:
        odd = False
        for (ax, ay, *_), (bx, by, *_) in pairwise(ring):
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                odd = not odd
        return min((x - p[0]) ** 2 + (y - p[1]) ** 2 for p in outline) if odd else -1.0

    steps = [(i + 0.5) / 24 for i in range(24)]
    grid = ((min(xs) + s * (max(xs) - min(xs)), min(ys) + t * (max(ys) - min(ys))) for s in steps for t in steps)
    return {"type": "Point", "coordinates": max(grid, key=lambda p: clearance(*p))}


def read(source: pathlib.Path, name: str, python: str) -> list[Feature]:
    """Features of one Natural Earth file, packed or not."""
    plain = source / f"{name}.json"
    if plain.exists():
        return json.loads(plain.read_text())["features"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "py7zr", "x", str(source / f"{name}.7z"), folder], check=True, stdout=subprocess.DEVNULL)
        return json.loads((pathlib.Path(folder) / f"{name}.json").read_text())["features"]


def convert(source: pathlib.Path, folder: pathlib.Path, python: str) -> None:
    """Write one line-delimited GeoJSON file a layer, with the zoom from which each feature is kept."""
    for layer, name, rule in LAYERS:
        with (folder / f"{layer}.ndjson").open("a") as out:
            for feature in read(source, name, python):
                kept = rule(feature)
                if kept is None:
                    continue
                properties, zoom = kept
                geometry = inside_point(feature["geometry"]) if layer == "sea" else feature["geometry"]
                line = {"type": "Feature", "tippecanoe": {"minzoom": zoom}, "properties": properties, "geometry": geometry}
                out.write(json.dumps(line, separators=(",", ":")) + "\n")


def main(arguments: list[str]) -> int:
    """Build the file from the folder given."""
    if len(arguments) != 1:
        print("usage: scripts/basemap.py FOLDER-OF-NATURAL-EARTH", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        venv.create(folder / "env", with_pip=True)
        python = str(folder / "env/bin/python")
        subprocess.run([python, "-m", "pip", "install", "-q", *TOOLS], check=True)
        (tippecanoe,) = (folder / "env").glob("lib/python*/site-packages/cubao_tippecanoe/*_tippecanoe.exe")
        tippecanoe.chmod(0o755)
        convert(pathlib.Path(arguments[0]), folder, python)
        built = folder / "basemap.pmtiles"
        options = {
            "maximum-zoom": MAX_ZOOM,
            "drop-rate": 1,
            "simplification": 2,
            # The last zoom is what all nearer views are drawn from: keep what the source has.
            "simplification-at-maximum-zoom": 1,
            "full-detail": 14,
            "name": "kizuna base map",
            "attribution": "Natural Earth",
            # tippecanoe writes its command line into the file: relative names only.
            "output": built.name,
        }
        command = ["tippecanoe", "--quiet", "--no-feature-limit", "--no-tile-size-limit", "--no-tile-stats"]
        command += [f"--{name}={value}" for name, value in options.items()]
        command += [f"--named-layer={path.stem}:{path.name}" for path in sorted(folder.glob("*.ndjson"))]
        threads = {**os.environ, "TIPPECANOE_MAX_THREADS": "1"}
        subprocess.run(command, executable=tippecanoe, check=True, cwd=folder, env=threads)
        data = built.read_bytes()
        TARGET.write_bytes(data)
        print(f"{TARGET.relative_to(ROOT)}: {len(data) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
