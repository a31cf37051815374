"""Files such as partners send, made small: SAFE packages on real metadata, SIDD on a real one's, CPHD and CRSD headers."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import lxml.etree
import numpy as np
import rasterio
import sarkit.sidd

VECTORS = Path(__file__).parents[1] / "vectors" / "sentinel1"
SAFE_NAME = "S1B_IW_GRDH_1SDV_20210401T052623_20210401T052648_026269_032297_ECC8.SAFE"
SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "sar"


def safe_metadata() -> dict[str, bytes]:
    """Members of the real package that is kept here: manifest and annotations, without what fills them and without images."""
    with zipfile.ZipFile(VECTORS / f"{SAFE_NAME}.zip") as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(members: dict[str, bytes], *, how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """ZIP file of members, in their order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as package:
        for name, data in members.items():
            package.writestr(name, data)
    return out.getvalue()


def band(rows: int, cols: int, seed: int = 0, dtype: str = "uint16") -> np.ndarray:
    """Speckle with a bright square in its upper left quarter."""
    made = np.random.default_rng(seed).rayleigh(100.0, (rows, cols))
    made[rows // 8 : rows // 4, cols // 8 : cols // 4] *= 20.0
    return made.astype(dtype)


def tiff(pixels: np.ndarray, **profile: object) -> bytes:
    """Plain TIFF of one band."""
    with rasterio.MemoryFile() as memory:
        form = {"height": pixels.shape[0], "width": pixels.shape[1], "count": 1, "dtype": pixels.dtype.name}
        with memory.open(driver="GTiff", **form, **profile) as dataset:
            dataset.write(pixels, 1)
        return bytes(memory.read())


def safe_members(rows: int = 334, cols: int = 516, seed: int = 0) -> dict[str, bytes]:
    """Members of a package whose images and grids are the real ones made smaller."""
    members = safe_metadata()
    whole = (16685, 25788)
    for name in [n for n in members if "/annotation/" in n]:
        text = members[name].decode()
        for element, size, full in (("line", rows, whole[0]), ("pixel", cols, whole[1])):
            text = re.sub(rf"<{element}>(\d+)<", lambda m, e=element, s=size, f=full: f"<{e}>{int(m[1]) * s // f}<", text)
        text = re.sub(r"<numberOfLines>\d+<", f"<numberOfLines>{rows}<", text)
        text = re.sub(r"<numberOfSamples>\d+<", f"<numberOfSamples>{cols}<", text)
        members[name] = text.encode()
        stem = Path(name).stem
        members[f"{SAFE_NAME}/measurement/{stem}.tiff"] = tiff(band(rows, cols, seed + len(members)))
    return members


def safe(rows: int = 334, cols: int = 516, seed: int = 0) -> bytes:
    """Package with small images."""
    return packed(safe_members(rows, cols, seed))


def sidd(real: Path, rows: int = 60, cols: int = 50) -> bytes:
    """SIDD of speckle on the metadata of a real one, written by sarkit."""
    with real.open("rb") as file:
        reader = sarkit.sidd.NitfReader(file)
        tree = reader.metadata.images[0].xmltree
        security = reader.metadata.file_header_part.security
    footprint = tree.find("./{*}Measurement/{*}PixelFootprint")
    footprint[0].text, footprint[1].text = str(rows), str(cols)
    display = tree.find("./{*}Display")
    display.find("./{*}PixelType").text = "MONO8I"
    for remap in display.findall("./{*}RemapInformation"):
        display.remove(remap)
    part = {"security": {"clas": "U"}}
    metadata = sarkit.sidd.NitfMetadata(
        file_header_part={"ostaid": "kizuna", "ftitle": "speckle", **part},
        images=[sarkit.sidd.NitfProductImageMetadata(xmltree=tree, im_subheader_part=part, de_subheader_part=part)],
    )
    assert security is not None
    out = io.BytesIO()
    writer = sarkit.sidd.NitfWriter(out, metadata)
    pixels = np.clip(band(rows, cols) / 10.0, 1, 255).astype(np.uint8)
    offset = writer._jbp["ImageSegments"][0]["Data"].get_offset() if hasattr(writer, "_jbp") else None
    if offset is None:
        writer.write_image(0, pixels)
    else:
        out.seek(offset)
        out.write(pixels.tobytes())
    return out.getvalue()


_POINT = "<X>{}</X><Y>{}</Y><Z>{}</Z>"
_ARP = _POINT.format(7228728.214968013, 255419.41247283682, 1450830.0590822883)
_VELOCITY = _POINT.format(340.088818546394, -7332.832996723746, -403.588079745125)
_SRP = _POINT.format(6378137.0, 0.0, 0.0)
_CORNERS = ((0.0052, -0.0036), (0.0037, 0.0052), (-0.0052, 0.0036), (-0.0037, -0.0052))
INCIDENCE_DEG = 59.99788911034463
"""At the reference point of what `cphd` and `crsd` make, from a simulation of others (sarkit's example)."""


def _scene(corners: tuple[tuple[float, float], ...] = _CORNERS) -> str:
    points = "".join(f'<IACP index="{i}"><Lat>{la}</Lat><Lon>{lo}</Lon></IACP>' for i, (la, lo) in enumerate(corners, 1))
    return f"<SceneCoordinates><ImageAreaCornerPoints>{points}</ImageAreaCornerPoints></SceneCoordinates>"


def cphd_xml(*, start: str = "2022-12-05T18:41:24.051402Z", corners: tuple[tuple[float, float], ...] = _CORNERS) -> bytes:
    """CPHD 1.1.0 metadata, as much as says what was observed."""
    return (
        '<CPHD xmlns="http://api.nsgreg.nga.mil/schema/cphd/1.1.0">'
        "<CollectionID><CollectorName>Synthetic</CollectorName><CoreName>SyntheticCore</CoreName>"
        "<CollectType>MONOSTATIC</CollectType><RadarMode><ModeType>SPOTLIGHT</ModeType></RadarMode>"
        "<Classification>UNCLASSIFIED</Classification><ReleaseInfo>UNRESTRICTED</ReleaseInfo></CollectionID>"
        f"<Global><Timeline><CollectionStart>{start}</CollectionStart><TxTime1>0.5</TxTime1><TxTime2>3.5</TxTime2></Timeline>"
        "<FxBand><FxMin>9933296178.095</FxMin><FxMax>10066703821.905</FxMax></FxBand></Global>"
        f"{_scene(corners)}"
        "<Channel><Parameters><Polarization><TxPol>V</TxPol><RcvPol>H</RcvPol></Polarization></Parameters></Channel>"
        f"<ReferenceGeometry><SRP><ECF>{_SRP}</ECF></SRP><Monostatic><ARPPos>{_ARP}</ARPPos><ARPVel>{_VELOCITY}</ARPVel>"
        "<SideOfTrack>L</SideOfTrack></Monostatic></ReferenceGeometry></CPHD>"
    ).encode()


def crsd_xml() -> bytes:
    """CRSD 1.0 metadata, as much as says what was observed."""
    return (
        '<CRSDsar xmlns="http://api.nsgreg.nga.mil/schema/crsd/1.0">'
        "<ProductInfo><ProductName>Port at night</ProductName><Classification>UNCLASSIFIED</Classification>"
        "<ReleaseInfo>UNRESTRICTED</ReleaseInfo><CreationInfo><Application>made up</Application><Site>Kochi</Site>"
        "<DateTime>2024-11-06T14:41:10.688513Z</DateTime></CreationInfo></ProductInfo>"
        "<SARInfo><CollectType>MONOSTATIC</CollectType><RadarMode><ModeType>STRIPMAP</ModeType><ModeID>SM</ModeID></RadarMode></SARInfo>"
        "<TransmitInfo><SensorName>the sensor</SensorName></TransmitInfo>"
        "<ReceiveInfo><SensorName>the sensor</SensorName></ReceiveInfo>"
        "<Global><CollectionRefTime>2023-07-03T20:21:27.195084Z</CollectionRefTime><Transmit><TxTime1>0.0</TxTime1>"
        "<TxTime2>1.875</TxTime2><FxMin>9966648089.0</FxMin><FxMax>10033351911.0</FxMax></Transmit>"
        "<Receive><RcvStartTime1>0.01</RcvStartTime1><RcvStartTime2>1.9</RcvStartTime2></Receive></Global>"
        f"{_scene()}"
        "<Channel><Parameters><RcvPolarization><PolarizationID>V</PolarizationID></RcvPolarization><SARImage><TxPolarization>"
        "<PolarizationID>V</PolarizationID></TxPolarization></SARImage></Parameters></Channel>"
        f"<ReferenceGeometry><RefPoint><ECF>{_SRP}</ECF></RefPoint><SARImage><ARPPos>{_ARP}</ARPPos><ARPVel>{_VELOCITY}</ARPVel>"
        "<SideOfTrack>L</SideOfTrack></SARImage></ReferenceGeometry></CRSDsar>"
    ).encode()


def phase_history(standard: str, version: str, xml: bytes, *, signal: bytes = bytes(range(256)) * 4) -> bytes:
    """File of either standard: header, metadata, per-vector parameters, signal."""
    vectors = "PVP"
    header_bytes = 1024
    blocks = [("XML", header_bytes, len(xml))]
    blocks.append((vectors, header_bytes + len(xml) + 2, 64))
    blocks.append(("SIGNAL", blocks[-1][1] + 64, len(signal)))
    lines = [
        f"{name}_BLOCK_{what} := {value}" for name, at, size in blocks for what, value in (("SIZE", size), ("BYTE_OFFSET", at))
    ]
    lines += ["CLASSIFICATION := UNCLASSIFIED", "RELEASE_INFO := UNRESTRICTED"]
    header = f"{standard}/{version}\n" + "".join(f"{line}\n" for line in lines) + "\f\n"
    return header.encode().ljust(header_bytes, b"\0") + xml + b"\f\n" + bytes(64) + signal


def cphd(**changes: object) -> bytes:
    """CPHD file."""
    return phase_history("CPHD", "1.1.0", cphd_xml(**changes))


def crsd() -> bytes:
    """CRSD file."""
    return phase_history("CRSD", "1.0.0", crsd_xml())


def root_of(xml: bytes) -> lxml.etree._Element:
    """Root element."""
    return lxml.etree.fromstring(xml)


def _ground_range(text: str, spacing_m: float) -> str:
    """The polynomials that the kept annotation lacks, from its own geolocation grid: ground of slant range, a set a line."""
    grid = re.findall(r"<geolocationGridPoint>.*?</geolocationGridPoint>", text, re.DOTALL)
    lines: dict[str, list[tuple[str, float, float]]] = {}
    for point in grid:
        found = {name: re.search(rf"<{name}>([^<]+)<", point)[1] for name in ("azimuthTime", "slantRangeTime", "line", "pixel")}
        range_m = 0.5 * 299_792_458.0 * float(found["slantRangeTime"])
        lines.setdefault(found["line"], []).append((found["azimuthTime"], range_m, float(found["pixel"]) * spacing_m))
    sets = []
    for points in lines.values():
        ranges, ground = (np.array([point[k] for point in points]) for k in (1, 2))
        origin, reach = ranges[0], np.ptp(ranges)
        scaled = np.polynomial.polynomial.polyfit((ranges - origin) / reach, ground, 8)
        terms = " ".join(f"{term / reach**power:.17e}" for power, term in enumerate(scaled))
        sets.append(
            f"<coordinateConversion><azimuthTime>{points[0][0]}</azimuthTime><sr0>{float(origin)!r}</sr0>"
            f'<srgrCoefficients count="9">{terms}</srgrCoefficients></coordinateConversion>'
        )
    made = "".join(sets)
    return f"<coordinateConversion><coordinateConversionList>{made}</coordinateConversionList></coordinateConversion>"


def safe_with_geometry(pixels: np.ndarray, *, calibration: float | None = None) -> bytes:
    """Package of one image of any size that covers the real one's ground, with all that range-Doppler geometry needs.

    Of the annotation, orbit and geolocation grid are the real ones; lines and pixels are made coarser, not rounded.
    """
    rows, cols = pixels.shape
    members = {name: data for name, data in safe_metadata().items() if "-vh-" not in name}
    (name,) = (n for n in members if "/annotation/" in n)
    text = members[name].decode()
    for element, size, full in (("line", rows, 16685), ("pixel", cols, 25788)):
        # The middle of the first pixel is 0, that of the last one the size less one.
        text = re.sub(
            rf"<{element}>(\d+)<", lambda m, e=element, s=size, f=full: f"<{e}>{(int(m[1]) + 0.5) * s / f - 0.5!r}<", text
        )
    spacing = 10.0 * 25788 / cols
    text = re.sub(r"<numberOfLines>\d+<", f"<numberOfLines>{rows}<", text)
    text = re.sub(r"<numberOfSamples>\d+<", f"<numberOfSamples>{cols}<", text)
    text = re.sub(r"<rangePixelSpacing>[^<]+<", f"<rangePixelSpacing>{spacing!r}<", text)
    text = re.sub(r"<azimuthPixelSpacing>[^<]+<", f"<azimuthPixelSpacing>{10.0 * 16685 / rows!r}<", text)
    members[name] = text.replace("</product>", _ground_range(text, spacing) + "</product>").encode()
    stem = Path(name).stem
    members[f"{SAFE_NAME}/measurement/{stem}.tiff"] = tiff(pixels)
    if calibration is not None:
        values = " ".join([repr(calibration)] * 2)
        vectors = "".join(
            f"<calibrationVector><line>{line}</line><pixel>0 {cols}</pixel><sigmaNought>{values}</sigmaNought>"
            f"<betaNought>{values}</betaNought></calibrationVector>"
            for line in (0, rows)
        )
        members[f"{SAFE_NAME}/annotation/calibration/calibration-{stem}.xml"] = (
            f"<calibration><calibrationVectorList>{vectors}</calibrationVectorList></calibration>"
        ).encode()
    return packed(members)
