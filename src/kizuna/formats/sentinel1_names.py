"""Names of Sentinel-1 products and of the images in them (Sentinel-1 Product Specification, S1-RS-MDA-52-7441, section 3.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kizuna.model.instants import Interval, instant_of

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["CENTRE_FREQUENCY_HZ", "Sentinel1Name", "parse_sentinel1_name"]

CENTRE_FREQUENCY_HZ = 5.405e9
"""Of the C-SAR instrument of every Sentinel-1."""

_TIMES = r"(?P<begin>\d{8}[Tt]\d{6})[_-](?P<end>\d{8}[Tt]\d{6})[_-](?P<orbit>\d{6})[_-](?P<take>[0-9a-fA-F]{6})"
_PRODUCT = re.compile(
    rf"(?P<unit>S1[A-D])_(?P<mode>IW|EW|WV|S[1-6]|EN|N[1-6])_(?P<type>SLC|GRD|OCN|RAW)[FHM_]_(?P<level>[012])[SA]"
    rf"(?P<channels>SH|SV|DH|DV|HH|HV|VV|VH)_{_TIMES}_[0-9A-F]{{4}}(?![0-9A-Za-z])",
    re.ASCII,
)
_IMAGE = re.compile(
    rf"(?P<unit>s1[a-d])-(?P<mode>iw|ew|wv|s|en|n)(?P<swath>\d?)-(?P<type>slc|grd|ocn|raw)-(?P<channels>hh|hv|vv|vh)-{_TIMES}-\d{{3}}"
    r"(?![0-9A-Za-z])",
    re.ASCII,
)
_CHANNELS = {"SH": ("HH",), "SV": ("VV",), "DH": ("HH", "HV"), "DV": ("VV", "VH")}
# Relative orbit of an absolute one: 175 in a cycle, from the first that was on the reference track.
_FIRST_ORBIT = {"S1A": 73, "S1B": 27}
_ORBITS_A_CYCLE = 175


@dataclass(frozen=True, slots=True)
class Sentinel1Name:
    """What a name says.

    Parameters
    ----------
    platform
        Such as ``"Sentinel-1A"``.
    mode, product_type
        Such as ``"IW"`` and ``"GRD"``; of an image in stripmap mode the number of the beam stands behind the S.
    level
        ``"L1"``; empty for an image, whose name does not say.
    polarisations
        Of the product, or of the one image.
    observed
        First and last line, to the second.
    absolute_orbit
        At the first line.
    relative_orbit
        None for platforms whose first orbit is not known here.
    """

    platform: str
    mode: str
    product_type: str
    level: str
    polarisations: tuple[str, ...]
    observed: Interval
    absolute_orbit: int
    relative_orbit: int | None


def parse_sentinel1_name(name: str) -> Sentinel1Name | None:
    """What the name of a file or folder says, if it is one of Sentinel-1's; None for another.

    Examples
    --------
    >>> found = parse_sentinel1_name("s1a-iw-grd-vh-20180716t055016-20180716t055041-022812-027933-002-cog.tiff")
    >>> found.platform, found.mode, found.polarisations, found.absolute_orbit, found.relative_orbit
    ('Sentinel-1A', 'IW', ('VH',), 22812, 165)
    >>> parse_sentinel1_name("scene.tif") is None
    True
    """
    found = _PRODUCT.match(name) or _IMAGE.match(name)
    if found is None:
        return None
    parts = found.groupdict()
    try:
        begin, end = _instant(parts["begin"]), _instant(parts["end"])
    except ValueError:
        return None
    if end < begin:
        return None
    unit, absolute, channels = parts["unit"].upper(), int(parts["orbit"]), parts["channels"].upper()
    mode = parts["mode"].upper()
    first = _FIRST_ORBIT.get(unit)
    return Sentinel1Name(
        platform=f"Sentinel-{unit[1:]}",
        mode=mode + (parts["swath"] if mode == "S" and "swath" in parts else ""),
        product_type=parts["type"].upper(),
        level=f"L{parts['level']}" if parts.get("level") else "",
        polarisations=_CHANNELS.get(channels, (channels,)),
        observed=Interval(begin, end),
        absolute_orbit=absolute,
        relative_orbit=None if first is None else (absolute - first) % _ORBITS_A_CYCLE + 1,
    )


def _instant(text: str) -> Instant:
    return instant_of(datetime.strptime(text.upper(), "%Y%m%dT%H%M%S").replace(tzinfo=UTC))
