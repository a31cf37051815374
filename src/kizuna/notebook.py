"""Radar images in a notebook: `open_image` gives what a cell shows as a picture with its outline, and xarray in and out.

``image = open_image("scene.nitf")``, ``array = image.to_xarray()``, ``image.with_array(array * 2).save("brighter.nitf")``.
"""

from __future__ import annotations

import base64
import html
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.nitf_security import file_security
from kizuna.formats.sar_files import Format, SarFacts, format_of, read_sar_facts
from kizuna.formats.sar_pictures import Directions, directions_of, looks_png, quicklook_png, spectrum_png
from kizuna.formats.sicd import NitfDescription, read_metadata, read_pixels, write_sicd_file
from kizuna.formats.sidd import read_sidd_amplitude
from kizuna.model.instants import format_instant
from kizuna.wiring import open_input, system_now

if TYPE_CHECKING:
    import lxml.etree
    import xarray

    from kizuna.formats.nitf_security import NitfSecurity

__all__ = ["SarImage", "open_image"]

_OUTLINE_SIDE = 150.0
_HEAD_BYTES = 400


@dataclass(frozen=True, slots=True, repr=False)
class SarImage:
    """A radar image that a notebook shows.

    Parameters
    ----------
    pixels
        Complex pixels of a SICD, amplitude of a SIDD; shape (rows, cols).
    facts
        What the file says of itself.
    tree
        Metadata of a SICD; None of a SIDD.
    security
        Group of the file's header.
    """

    pixels: npt.NDArray[Any]
    facts: SarFacts
    tree: lxml.etree._ElementTree | None
    security: NitfSecurity

    @property
    def spacing_m(self) -> tuple[float, float]:
        """Distances of rows and of columns, metres; 1 where they are not known."""
        radar = None if self.facts.observation is None else self.facts.observation.radar
        rows, cols = (None, None) if radar is None else (radar.spacing_range_m, radar.spacing_azimuth_m)
        return rows or 1.0, cols or 1.0

    @property
    def directions(self) -> Directions:
        """North, range and shadow on the image."""
        return Directions() if self.tree is None else directions_of(self.tree)

    def to_xarray(self) -> xarray.DataArray:
        """Pixels with the offsets of rows and columns from the image's middle in metres, and the metadata as attributes."""
        import xarray

        rows, cols = ((np.arange(size) - size // 2) * step for size, step in zip(self.pixels.shape, self.spacing_m, strict=True))
        facts = self.facts
        attributes = {
            "format": f"{facts.format.value} {facts.version}",
            "sensor": facts.sensor,
            "classification": facts.classification,
            "release": facts.release,
            "begin": "" if facts.begin is None else format_instant(facts.begin),
            "end": "" if facts.end is None else format_instant(facts.end),
            "footprint": [list(point) for point in facts.footprint_lonlat_deg or ()],
            "resolution_m": math.nan if facts.resolution_m is None else facts.resolution_m,
        }
        return xarray.DataArray(
            self.pixels,
            dims=("row", "col"),
            coords={"row": ("row", rows, {"units": "m"}), "col": ("col", cols, {"units": "m"})},
            name=facts.name or "image",
            attrs=attributes,
        )

    def with_array(self, array: xarray.DataArray) -> SarImage:
        """The same image with other pixels.

        Raises
        ------
        InputError
            Their shape or kind is another.
        """
        values = np.asarray(array.transpose("row", "col").values)
        if values.shape != self.pixels.shape or np.iscomplexobj(values) != np.iscomplexobj(self.pixels):
            raise InputError(
                Message(
                    "the array is {got}; expected {expected}",
                    {"got": f"{values.shape} {values.dtype}", "expected": f"{self.pixels.shape} {self.pixels.dtype}"},
                ),
                hint=Message("Keep the shape, and whether the pixels are complex."),
                field="array",
            )
        return replace(self, pixels=values.astype(self.pixels.dtype))

    def save(self, path: str | Path) -> None:
        """Write a SICD with these pixels and the metadata as they were; no file is overwritten.

        Raises
        ------
        InputError
            The image is no SICD, or the file exists.
        """
        if self.tree is None:
            raise InputError(
                Message("only complex images are saved; this is a {format}", {"format": self.facts.format.value}),
                hint=Message("Save the array with xarray."),
                field="format",
            )
        facts = self.facts
        try:
            with Path(path).open("x+b") as file:
                write_sicd_file(
                    file,
                    self.tree,
                    self.pixels,
                    NitfDescription(facts.name, facts.classification, facts.sensor, system_now(), security=self.security),
                )
        except FileExistsError as error:
            raise InputError(
                Message("{path} exists", {"path": str(path)}),
                hint=Message("name another file; none is overwritten"),
                field="output",
            ) from error

    def quicklook(self) -> bytes:
        """PNG in decibels with scale bar and arrows."""
        facts = self.facts
        known = (
            f"{facts.format.value} {facts.version}",
            facts.sensor,
            "" if facts.begin is None else format_instant(facts.begin),
            facts.classification,
        )
        title, caption = facts.name or facts.format.value, ", ".join(filter(None, known))
        return quicklook_png(self.pixels, self.spacing_m, title=title, caption=caption, directions=self.directions)

    def spectrum(self) -> bytes:
        """PNG of the spectrum, with the widths that the metadata promise."""
        rows, cols = (self._number(f"Grid/{axis}/ImpRespBW") for axis in ("Row", "Col"))
        width = None if rows is None or cols is None else (rows, cols)
        return spectrum_png(self.pixels, self.spacing_m, title=f"{self.facts.name}: spectrum", bandwidth=width)

    def looks(self, count: int = 4) -> bytes:
        """PNG strip of sub-aperture looks."""
        width = self._number("Grid/Col/ImpRespBW")
        return looks_png(self.pixels, self.spacing_m, title=f"{self.facts.name}: sub-apertures", looks=count, bandwidth=width)

    def _number(self, path: str) -> float | None:
        return None if self.tree is None else MetadataTree(self.tree).number(path)

    def __repr__(self) -> str:
        rows, cols = self.pixels.shape
        return f"SarImage({self.facts.format.value} {self.facts.version}, {self.facts.name!r}, {rows} x {cols})"

    def _repr_html_(self) -> str:
        facts = self.facts
        radar = None if facts.observation is None else facts.observation.radar
        rows = [
            ("format", f"{facts.format.value} {facts.version}"),
            ("name", facts.name),
            ("sensor", facts.sensor),
            ("observed", "" if facts.begin is None else format_instant(facts.begin)),
            ("polarisation", "" if radar is None else ", ".join(radar.polarisations)),
            ("size", " × ".join(map(str, self.pixels.shape))),
            ("pixel", " × ".join(f"{step:.3f} m" for step in self.spacing_m)),
            ("resolution", "" if facts.resolution_m is None else f"{facts.resolution_m:.3f} m"),
            ("classification", facts.classification),
            ("release", facts.release),
        ]
        cells = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td style='text-align:left'>{html.escape(text)}</td></tr>"
            for name, text in rows
            if text
        )
        picture = base64.b64encode(self.quicklook()).decode()
        return (
            "<div style='display:flex;gap:1em;align-items:flex-start;flex-wrap:wrap'>"
            f"<img alt='quicklook' style='max-width:480px' src='data:image/png;base64,{picture}'/>"
            f"<div><table>{cells}</table>{_outline(facts)}</div></div>"
        )


def _outline(facts: SarFacts) -> str:
    """Footprint as a small drawing, north up, with the place of its middle."""
    ring = facts.footprint_lonlat_deg
    if ring is None:
        return ""
    longitudes = np.unwrap([longitude for longitude, _ in ring], period=360.0)
    latitudes = np.array([latitude for _, latitude in ring])
    middle = float(np.mean(longitudes)), float(np.mean(latitudes))
    x = (longitudes - middle[0]) * math.cos(math.radians(middle[1]))
    y = middle[1] - latitudes
    reach = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    half = _OUTLINE_SIDE / 2.0
    points = " ".join(
        f"{half + 0.8 * _OUTLINE_SIDE * a / reach:.1f},{half + 0.8 * _OUTLINE_SIDE * b / reach:.1f}"
        for a, b in zip(x, y, strict=True)
    )
    place = f"{middle[1]:.5f}°, {(middle[0] + 180.0) % 360.0 - 180.0:.5f}°"
    note = " (assigned, not measured)" if facts.nominal_position else ""
    return (
        f"<svg width='{_OUTLINE_SIDE:.0f}' height='{_OUTLINE_SIDE:.0f}' role='img' aria-label='footprint'>"
        f"<polygon points='{points}' fill='#4a90d955' stroke='#1f4e8c'/>"
        f"<path d='M{_OUTLINE_SIDE - 12:.0f} 22 v-16 m-4 5 l4 -5 l4 5' stroke='currentColor' fill='none'/></svg>"
        f"<div>{html.escape(place + note)}</div>"
    )


def open_image(path: str | Path) -> SarImage:
    """Open a SICD or a SIDD.

    Parameters
    ----------
    path
        Of the file.

    Raises
    ------
    InputError
        Neither, or a damaged file.
    """
    with open_input(Path(path)) as file:
        found = format_of(file)
        if found not in {Format.SICD, Format.SIDD}:
            raise InputError(
                Message("the file is {got}; expected {expected}", {"got": found.value, "expected": "SICD, SIDD"}),
                hint=Message("Form an image of it first."),
                field="file",
            )
        file.seek(0)
        security = file_security(file.read(_HEAD_BYTES))
        facts = read_sar_facts(file)
        if found is Format.SICD:
            return SarImage(read_pixels(file), facts, read_metadata(file), security)
        return SarImage(read_sidd_amplitude(file), facts, None, security)
