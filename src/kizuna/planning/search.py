"""The search for windows, compiled: which places a piece of track may see, and where each limit is crossed, none missed.

**Candidates.** A cap on the ground holds all places that can be seen under the largest incidence angle during a piece.

**Roots.** A condition is a smooth function of time that is positive where it holds. On a piece of track the position is a
polynomial, so its derivatives are bounded there, and with them the third derivative of each condition. Around the middle of an
interval the condition then lies within a known distance of its parabola, and three questions can be answered for certain: it has
no root; it is monotone, so has at most one; it has one bend, so at most two. Where none can be answered, the interval is halved.
(Interval methods for roots, as in Moore, Kearfott and Cloud 2009, section 8.1, with a Taylor form of second order.)

Time within a piece is u, from -1 at its begin to 1 at its end; all derivatives are by u.

All that is compiled of the search stands in this one file: numba keeps compiled functions by the date of the file that they stand
in, and would go on using an old one that was changed in another file.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import ECCENTRICITY_SQUARED, SEMI_MAJOR_AXIS_M, SEMI_MINOR_AXIS_M
from kizuna.planning.compiled import FLAG, FLOAT, INTEGER, INTEGERS, NOTHING, PIECES, ROW, TABLE, compiled, several

__all__ = ["NO_LIMIT", "search"]

type Floats = npt.NDArray[np.float64]
type Ints = npt.NDArray[np.int64]
type _Index = tuple[Floats, Ints, Ints, Floats, float]
"""Arrays of `kizuna.planning.geometry.Places`: frames, row_start, order, longitude_rad, lowest_m."""

_INDEX = several(TABLE, INTEGERS, INTEGERS, ROW, FLOAT)

_NORMAL_TANGENT_M = SEMI_MAJOR_AXIS_M * ECCENTRICITY_SQUARED / 2.0 * 1.01
"""How far the foot of an ellipsoid's normal lies from the centre, across the normal, at most."""
type _Span = tuple[float, float, float]
type _Limits = tuple[float, float, float, float, float, float]

_FOUND = several(INTEGERS, TABLE)
_SPAN = several(FLOAT, FLOAT, FLOAT)
_LIMITS = several(FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT)
"""Largest incidence angle, its cosine, cosine of the least (2: none), sine of the largest squint (-1: none), side, direction."""

_SAME_S = 1e-6
"""Windows of one place that lie no farther apart are one window: a piece of the track ended within it."""
_FIRST_ROWS = 1024
NO_LIMIT = -1.0

_RAISED = 0
"""(s.n)^2 - c^2 s.s > 0: the incidence angle is below arccos c, or that of the ray that comes from below."""
_ELEVATED = 1
"""s.n > 0: the satellite stands above the plane of the horizon."""
_SQUINT = 2
"""c^2 s.s v.v - (s.v)^2 > 0: the line of sight lies less than arcsin c off the plane across the track."""
_SIDE = 3
"""-T.(v x S) > 0: the place lies left of the track."""
_ASCENDING = 4
"""v_z > 0."""
_DOPPLER = 5
"""s.v: rises through 0 where the satellite is nearest to the place."""

_MOST_ROOTS = 64

_FLOOR = 1e-7
"""An interval as short as that is not halved any more: the condition touches zero there and does not cross it for longer."""
_NOTHING = 1e-12
_CLOSE = 1e-7
"""A step of Newton's as short as that is the last: he doubles the digits."""
_CLOSE_ENOUGH = 1e-9
_CLOSE_S = 1e-3


@compiled(several(FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT, FLOAT)(TABLE, FLOAT))
def _powers(poly: Floats, u: float) -> tuple[float, ...]:
    """Position, velocity and acceleration at u, by Horner's rule; the components one after another."""
    x = y = z = 0.0
    vx = vy = vz = 0.0
    ax = ay = az = 0.0
    for k in range(poly.shape[0] - 1, -1, -1):
        ax = ax * u + vx
        ay = ay * u + vy
        az = az * u + vz
        vx = vx * u + x
        vy = vy * u + y
        vz = vz * u + z
        x = x * u + poly[k, 0]
        y = y * u + poly[k, 1]
        z = z * u + poly[k, 2]
    return x, y, z, vx, vy, vz, 2.0 * ax, 2.0 * ay, 2.0 * az


@compiled(several(FLOAT, FLOAT, FLOAT)(TABLE, FLOAT))
def _jerk(poly: Floats, u: float) -> tuple[float, float, float]:
    """Third derivative of the position at u."""
    x = y = z = 0.0
    for k in range(poly.shape[0] - 1, 2, -1):
        factor = k * (k - 1.0) * (k - 2.0)
        x = x * u + factor * poly[k, 0]
        y = y * u + factor * poly[k, 1]
        z = z * u + factor * poly[k, 2]
    return x, y, z


@compiled(several(FLOAT, FLOAT, FLOAT)(INTEGER, FLOAT, TABLE, ROW, FLOAT))
def _condition(kind: int, c2: float, poly: Floats, place: Floats, u: float) -> tuple[float, float, float]:
    """Value, first and second derivative of a condition; `place` holds its position and its normal."""
    px, py, pz, vx, vy, vz, ax, ay, az = _powers(poly, u)
    tx, ty, tz, nx, ny, nz = place[0], place[1], place[2], place[3], place[4], place[5]
    sx, sy, sz = px - tx, py - ty, pz - tz
    if kind == _RAISED:
        up, up1, up2 = sx * nx + sy * ny + sz * nz, vx * nx + vy * ny + vz * nz, ax * nx + ay * ny + az * nz
        d = sx * vx + sy * vy + sz * vz
        d1 = vx * vx + vy * vy + vz * vz + sx * ax + sy * ay + sz * az
        return (
            up * up - c2 * (sx * sx + sy * sy + sz * sz),
            2.0 * (up * up1 - c2 * d),
            2.0 * (up1 * up1 + up * up2 - c2 * d1),
        )
    if kind == _ELEVATED:
        return sx * nx + sy * ny + sz * nz, vx * nx + vy * ny + vz * nz, ax * nx + ay * ny + az * nz
    jx, jy, jz = _jerk(poly, u)
    if kind == _ASCENDING:
        return vz, az, jz
    if kind == _SIDE:
        # T.(v x S) = v.(S x T); S x T is linear in S, and so are its derivatives.
        cx, cy, cz = py * tz - pz * ty, pz * tx - px * tz, px * ty - py * tx
        ex, ey, ez = vy * tz - vz * ty, vz * tx - vx * tz, vx * ty - vy * tx
        return (
            -(vx * cx + vy * cy + vz * cz),
            -(ax * cx + ay * cy + az * cz),
            -(jx * cx + jy * cy + jz * cz + ax * ex + ay * ey + az * ez),
        )
    d = sx * vx + sy * vy + sz * vz
    w = vx * vx + vy * vy + vz * vz
    d1 = w + sx * ax + sy * ay + sz * az
    va = vx * ax + vy * ay + vz * az
    d2 = 3.0 * va + sx * jx + sy * jy + sz * jz
    if kind == _DOPPLER:
        return d, d1, d2
    p = sx * sx + sy * sy + sz * sz
    w2 = 2.0 * (ax * ax + ay * ay + az * az + vx * jx + vy * jy + vz * jz)
    return (
        c2 * p * w - d * d,
        c2 * (2.0 * d * w + 2.0 * p * va) - 2.0 * d * d1,
        c2 * (2.0 * d1 * w + 8.0 * d * va + p * w2) - 2.0 * (d1 * d1 + d * d2),
    )


@compiled(FLOAT(INTEGER, FLOAT, ROW, ROW, FLOAT))
def _third(kind: int, c2: float, bounds: Floats, place: Floats, far: float) -> float:
    """Bound of the third derivative of a condition on a piece.

    `bounds` holds the largest lengths there of S and of its first four derivatives, `far` that of s.
    """
    r, v, a, j, k = bounds[0], bounds[1], bounds[2], bounds[3], bounds[4]
    if kind == _RAISED:
        return 2.0 * (3.0 * v * a + far * j) * (1.0 + c2)
    if kind == _ELEVATED:
        return j
    if kind == _ASCENDING:
        return k
    if kind == _SIDE:
        t = np.sqrt(place[0] ** 2 + place[1] ** 2 + place[2] ** 2)
        return t * (k * r + 2.0 * j * v)
    d, d1, d2, d3 = far * v, v * v + far * a, 3.0 * v * a + far * j, 3.0 * a * a + 4.0 * v * j + far * k
    if kind == _DOPPLER:
        return d3
    p, w, w1, w2, w3 = far * far, v * v, 2.0 * v * a, 2.0 * (a * a + v * j), 2.0 * (3.0 * a * j + v * k)
    return c2 * (2.0 * d2 * w + 6.0 * d1 * w1 + 6.0 * d * w2 + p * w3) + 2.0 * (3.0 * d1 * d2 + d * d3)


@compiled(FLOAT(INTEGER, ROW, ROW, FLOAT))
def _largest(kind: int, bounds: Floats, place: Floats, far: float) -> float:
    """Bound of a condition's value on a piece: what its rounding is measured by."""
    if kind == _RAISED:
        return far * far
    if kind == _ELEVATED:
        return far
    if kind == _ASCENDING:
        return bounds[1]
    if kind == _SIDE:
        return np.sqrt(place[0] ** 2 + place[1] ** 2 + place[2] ** 2) * bounds[0] * bounds[1]
    return far * bounds[1] if kind == _DOPPLER else (far * bounds[1]) ** 2


@compiled(FLOAT(INTEGER, FLOAT, TABLE, ROW, FLOAT, FLOAT, FLOAT, INTEGER, FLOAT))
def _root(  # noqa: PLR0913, PLR0917 - a kernel: what it is compiled with are numbers and arrays
    kind: int, c2: float, poly: Floats, place: Floats, low: float, high: float, guess: float, derivative: int, at_low: float
) -> float:
    """Root of a condition, or of its derivative, that is monotone from `low` to `high` and changes its sign between them.

    Newton's method, held between the ends; a step that leaves them halves instead. `at_low` is the value at `low`.
    """
    below = at_low <= 0.0
    u = guess if low < guess < high else 0.5 * (low + high)
    for _ in range(60):
        f = _condition(kind, c2, poly, place, u)
        value, slope = f[derivative], f[derivative + 1]
        if (value <= 0.0) == below:
            low = u
        else:
            high = u
        new = u - value / slope if slope != 0.0 else low - 1.0
        if not low <= new <= high:
            new = 0.5 * (low + high)
        # Newton's error is half the step's square times the bend over the slope; of a derivative's bend nothing is known here.
        step = abs(new - u)
        if step < _CLOSE or (derivative == 0 and step * step * abs(f[2]) < _CLOSE_ENOUGH * abs(slope)):
            return new
        u = new
    return u


@compiled(INTEGER(INTEGER, FLOAT, TABLE, ROW, FLOAT, FLOAT, FLOAT, FLOAT, ROW, INTEGER))
def _settle(  # noqa: PLR0913, PLR0917 - as above
    kind: int,
    c2: float,
    poly: Floats,
    place: Floats,
    third: float,
    nothing: float,
    low: float,
    high: float,
    roots: Floats,
    count: int,
) -> int:
    """Put the roots between two times behind the `count` that there are; their number then, or -1 if it cannot be told.

    `third` bounds the third derivative; a condition below `nothing` is zero but for rounding.
    """
    half, middle = 0.5 * (high - low), 0.5 * (low + high)
    f0, f1, f2 = _condition(kind, c2, poly, place, middle)
    remainder = third * half * half * half / 6.0
    # Least that the parabola, turned so that it is positive in the middle, comes down to.
    g2 = f2 if f0 > 0.0 else -f2
    least = abs(f0) - abs(f1) * half + 0.5 * g2 * half * half
    if g2 > 0.0 and abs(f1) < g2 * half:
        least = abs(f0) - f1 * f1 / (2.0 * g2)
    # One that is zero but for rounding crosses it nowhere: northwards, on an orbit above the equator.
    if least > remainder or abs(f0) + abs(f1) * half + 0.5 * abs(f2) * half * half + remainder < nothing:
        return count
    monotone = abs(f1) > abs(f2) * half + 0.5 * third * half * half
    one_bend = abs(f2) > third * half
    if not monotone and not one_bend and half > _FLOOR:
        return -1
    at_low = _condition(kind, c2, poly, place, low)
    at_high = _condition(kind, c2, poly, place, high)
    # Where the parabola is zero: near enough for Newton.
    under = f1 * f1 - 2.0 * f0 * f2
    spread = np.sqrt(under) if under > 0.0 else 0.0
    bend = high
    at_bend = at_high
    if not monotone and one_bend and (at_low[1] > 0.0) != (at_high[1] > 0.0):
        bend = middle - f1 / f2
        at_bend = _condition(kind, c2, poly, place, bend)
        if not low < bend < high or (at_bend[0] > 0.0) == (f2 > 0.0):
            # The parabola's vertex does not lie beyond zero; whether the true one does is asked exactly.
            bend = _root(kind, c2, poly, place, low, high, bend, 1, at_low[1])
            at_bend = _condition(kind, c2, poly, place, bend)
    if (at_low[0] > 0.0) != (at_bend[0] > 0.0):
        guess = middle - f1 / f2 - spread / abs(f2) if bend < high else middle - f0 / f1
        roots[count] = _root(kind, c2, poly, place, low, bend, guess, 0, at_low[0])
        count += 1
    if bend < high and (at_bend[0] > 0.0) != (at_high[0] > 0.0):
        roots[count] = _root(kind, c2, poly, place, bend, high, middle - f1 / f2 + spread / abs(f2), 0, at_bend[0])
        count += 1
    return count


@compiled(INTEGER(INTEGER, FLOAT, TABLE, ROW, ROW, FLOAT, FLOAT, FLOAT, ROW))
def _isolate(  # noqa: PLR0913, PLR0917 - as above
    kind: int, c2: float, poly: Floats, bounds: Floats, place: Floats, far: float, low: float, high: float, roots: Floats
) -> int:
    """Find all roots of a condition between two times of a piece.

    Parameters
    ----------
    kind, c2
        Condition, and the square of its constant.
    poly, bounds
        Piece of the track, and the largest lengths on it of the position and its first four derivatives.
    place, far
        Position and normal of the place, shape (6,), and the largest distance between it and the satellite on the piece.
    low, high
        From when until when, u.
    roots
        Where they go, rising, shape (`_MOST_ROOTS`,).

    Returns
    -------
    int
        How many there are.
    """
    third, nothing = _third(kind, c2, bounds, place, far), _NOTHING * _largest(kind, bounds, place, far)
    count = 0
    # Part number `part` of 2 to the power of `depth`, from the earliest on.
    depth, part, width = 0, 0, high - low
    while count <= _MOST_ROOTS - 2:
        until = high if (part + 1) * width >= high - low else low + (part + 1) * width
        settled = _settle(kind, c2, poly, place, third, nothing, low + part * width, until, roots, count)
        if settled < 0:
            depth, part, width = depth + 1, 2 * part, 0.5 * width
            continue
        count, part = settled, part + 1
        while depth > 0 and part % 2 == 0:
            depth, part, width = depth - 1, part // 2, 2.0 * width
        if depth == 0:
            break
    return count


@compiled(several(FLOAT, FLOAT)(PIECES, FLOAT, FLOAT, ROW, FLOAT))
def _approach(pieces: Floats, begin_s: float, step_s: float, place: Floats, time_s: float) -> tuple[float, float]:
    """Half of what the squared distance to a place rises by in a second at a time, and the derivative of that."""
    piece = min(max(int((time_s - begin_s) / step_s), 0), len(pieces) - 1)
    rise, bend, _ = _condition(_DOPPLER, 0.0, pieces[piece], place, 2.0 * ((time_s - begin_s) / step_s - piece) - 1.0)
    return rise * 2.0 / step_s, bend * 4.0 / (step_s * step_s)


@compiled(FLOAT(PIECES, FLOAT, FLOAT, ROW, FLOAT, FLOAT))
def _closest(pieces: Floats, begin_s: float, step_s: float, place: Floats, low_s: float, high_s: float) -> float:
    """Time between two at which the satellite is the nearest to a place; where it comes near more than once, one of these."""
    at_low, at_high = (
        _approach(pieces, begin_s, step_s, place, low_s)[0],
        _approach(pieces, begin_s, step_s, place, high_s)[0],
    )
    if at_low >= 0.0:
        return low_s
    if at_high <= 0.0:
        return high_s
    time_s = low_s - (high_s - low_s) * at_low / (at_high - at_low)
    for _ in range(100):
        value, slope = _approach(pieces, begin_s, step_s, place, time_s)
        if value < 0.0:
            low_s = time_s
        else:
            high_s = time_s
        new_s = time_s - value / slope if slope > 0.0 else low_s
        if not low_s < new_s < high_s:
            new_s = 0.5 * (low_s + high_s)
        # The rise is nearly a straight line: a step of a millisecond leaves less than a nanosecond.
        if abs(new_s - time_s) < _CLOSE_S:
            return new_s
        time_s = new_s
    return time_s


@compiled(NOTHING(TABLE, ROW))
def _bound(poly: Floats, bounds: Floats) -> None:
    """Set the largest lengths of the position and of its first four derivatives on a piece."""
    for derivative in range(5):
        bounds[derivative] = 0.0
    for k in range(poly.shape[0]):
        length = np.sqrt(poly[k, 0] ** 2 + poly[k, 1] ** 2 + poly[k, 2] ** 2)
        for derivative in range(5):
            bounds[derivative] += length
            length *= max(k - derivative, 0)


@compiled(several(FLOAT, FLOAT)(TABLE, ROW, FLOAT, FLOAT))
def _cap(poly: Floats, bounds: Floats, incidence_max_rad: float, lowest_m: float) -> tuple[float, float]:
    """Angle of the cap about the satellite's direction in the middle of a piece that holds all places it may see; its distance.

    With n a place's normal, theta its angle to the satellite's direction S/|S|, p >= b + h the height of the tangent plane above
    the Earth's centre and q what the place lies off n's axis: s = S - T has s.n = |S| cos(theta) - p and
    |s x n| >= |S| sin(theta) - q, and |s x n| <= tan(I) s.n where the incidence angle is at most I. So
    |S| sin(theta - I) <= q cos(I) - p sin(I), which bounds theta. |S|^2 is bounded by its parabola and its third derivative.
    """
    x, y, z = poly[0, 0], poly[0, 1], poly[0, 2]
    vx, vy, vz = poly[1, 0], poly[1, 1], poly[1, 2]
    q0 = x * x + y * y + z * z
    off = (
        2.0 * abs(x * vx + y * vy + z * vz)
        + abs(vx * vx + vy * vy + vz * vz + 2.0 * (x * poly[2, 0] + y * poly[2, 1] + z * poly[2, 2]))
        + (3.0 * bounds[1] * bounds[2] + bounds[0] * bounds[3]) / 3.0
    )
    sine, cosine = np.sin(incidence_max_rad), np.cos(incidence_max_rad)
    ratio = (_NORMAL_TANGENT_M * cosine - (SEMI_MINOR_AXIS_M + lowest_m) * sine) / np.sqrt(q0 + off)
    if ratio <= -1.0:
        return -1.0, np.sqrt(q0)
    lowest = np.sqrt(max(q0 - off, 0.0))
    turned = bounds[1] / lowest if lowest > bounds[1] / np.pi else np.pi
    # What the sums lose in rounding is far below a nanoradian.
    return min(incidence_max_rad + np.arcsin(min(ratio, 1.0)) + turned + 1e-9, np.pi), np.sqrt(q0)


@compiled(INTEGER(TABLE, ROW, FLOAT, _INDEX, INTEGERS))
def _inside_cap(poly: Floats, bounds: Floats, incidence_max_rad: float, index: _Index, near: Ints) -> int:
    """Find all places that may see the satellite under the largest incidence angle during a piece.

    Parameters
    ----------
    poly, bounds
        Piece of the track, and what `bound` says of it.
    incidence_max_rad
        Largest incidence angle.
    index
        Places.
    near
        Where their numbers go.

    Returns
    -------
    int
        How many there are.
    """
    frames, row_start, order, longitudes, lowest_m = index
    angle, distance = _cap(poly, bounds, incidence_max_rad, lowest_m)
    if angle <= 0.0:
        return 0
    x, y, z = poly[0, 0] / distance, poly[0, 1] / distance, poly[0, 2] / distance
    latitude, longitude = np.arcsin(min(max(z, -1.0), 1.0)), np.arctan2(y, x)
    rows = len(row_start) - 1
    first = max(int((max(latitude - angle, -0.5 * np.pi) / np.pi + 0.5) * rows - 1e-9), 0)
    last = min(int((min(latitude + angle, 0.5 * np.pi) / np.pi + 0.5) * rows + 1e-9), rows - 1)
    # Beyond pi each longitude is within; else the cap's extent, which may lie across the antimeridian.
    width = 4.0 * np.pi
    if abs(latitude) + angle < 0.5 * np.pi:
        width = np.arcsin(min(np.sin(angle) / np.cos(latitude), 1.0)) + 1e-9
    nearest = np.cos(angle) - 1e-12
    count = 0
    for row in range(first, last + 1):
        for turn in range(-1, 2):
            west, east = longitude - width + 2.0 * np.pi * turn, longitude + width + 2.0 * np.pi * turn
            if east < -np.pi or west > np.pi or (width > np.pi and turn != 0):
                continue
            place, high = row_start[row], row_start[row + 1]
            while place < high:
                middle = (place + high) // 2
                if longitudes[middle] < west:
                    place = middle + 1
                else:
                    high = middle
            while place < row_start[row + 1] and longitudes[place] <= east:
                number = order[place]
                if x * frames[number, 3] + y * frames[number, 4] + z * frames[number, 5] >= nearest:
                    near[count] = number
                    count += 1
                place += 1
    return count


@compiled(FLOAT(TABLE, ROW, FLOAT))
def _cosine(poly: Floats, place: Floats, u: float) -> float:
    """Cosine of the incidence angle at a time of a piece; below zero the satellite stands below the horizon."""
    x = y = z = 0.0
    for k in range(poly.shape[0] - 1, -1, -1):
        x = x * u + poly[k, 0]
        y = y * u + poly[k, 1]
        z = z * u + poly[k, 2]
    x, y, z = x - place[0], y - place[1], z - place[2]
    return (x * place[3] + y * place[4] + z * place[5]) / np.sqrt(x * x + y * y + z * z)


@compiled(FLAG(TABLE, ROW, FLOAT, ROW))
def _never(poly: Floats, bounds: Floats, c2: float, place: Floats) -> bool:
    """Whether the largest incidence angle is exceeded during all of a piece, by the parabola about its middle; mostly it is."""
    sx, sy, sz = poly[0, 0] - place[0], poly[0, 1] - place[1], poly[0, 2] - place[2]
    nx, ny, nz = place[3], place[4], place[5]
    up, up1 = sx * nx + sy * ny + sz * nz, poly[1, 0] * nx + poly[1, 1] * ny + poly[1, 2] * nz
    up2 = 2.0 * (poly[2, 0] * nx + poly[2, 1] * ny + poly[2, 2] * nz)
    s2 = sx * sx + sy * sy + sz * sz
    f0 = up * up - c2 * s2
    if f0 >= 0.0:
        return False
    d = sx * poly[1, 0] + sy * poly[1, 1] + sz * poly[1, 2]
    d1 = poly[1, 0] ** 2 + poly[1, 1] ** 2 + poly[1, 2] ** 2 + 2.0 * (sx * poly[2, 0] + sy * poly[2, 1] + sz * poly[2, 2])
    f1, f2 = 2.0 * (up * up1 - c2 * d), 2.0 * (up1 * up1 + up * up2 - c2 * d1)
    most = f0 + abs(f1) + 0.5 * f2
    if f2 < 0.0 and abs(f1) < -f2:
        most = f0 - f1 * f1 / (2.0 * f2)
    far = np.sqrt(s2) + bounds[1]
    return most + (3.0 * bounds[1] * bounds[2] + far * bounds[3]) * (1.0 + c2) / 3.0 < 0.0


@compiled(NOTHING(ROW, INTEGER))
def _sort(values: Floats, count: int) -> None:
    """Sort the first few values by insertion."""
    for place in range(1, count):
        value = values[place]
        before = place - 1
        while before >= 0 and values[before] > value:
            values[before + 1] = values[before]
            before -= 1
        values[before + 1] = value


@compiled(FLAG(TABLE, ROW, _LIMITS, FLOAT))
def _allowed(poly: Floats, place: Floats, limits: _Limits, u: float) -> bool:
    """Whether all limits but the largest incidence angle hold."""
    _, _, upper, squint, side, direction = limits
    if upper <= 1.0 and _cosine(poly, place, u) > upper:
        return False
    if squint > 0.0 and _condition(_SQUINT, squint * squint, poly, place, u)[0] < 0.0:
        return False
    if side != 0.0 and side * _condition(_SIDE, 0.0, poly, place, u)[0] < 0.0:
        return False
    return direction == 0.0 or direction * _condition(_ASCENDING, 0.0, poly, place, u)[0] >= 0.0


@compiled(INTEGER(TABLE, ROW, ROW, _LIMITS, FLOAT, ROW))
def _raised(poly: Floats, bounds: Floats, place: Floats, limits: _Limits, high: float, edges: Floats) -> int:
    """Cut a piece, from u = -1 to `high`, where the incidence angle is the largest; number of parts, with edges in `edges`."""
    cosine = limits[1]
    sx, sy, sz = poly[0, 0] - place[0], poly[0, 1] - place[1], poly[0, 2] - place[2]
    far = np.sqrt(sx * sx + sy * sy + sz * sz) + bounds[1]
    found = 0
    if cosine > 0.0:
        found = _isolate(_RAISED, cosine * cosine, poly, bounds, place, far, -1.0, high, edges[1:])
    if sx * place[3] + sy * place[4] + sz * place[5] <= bounds[1]:
        # The satellite may pass the plane of the horizon, below which the same equation holds again.
        found += _isolate(_ELEVATED, 0.0, poly, bounds, place, far, -1.0, high, edges[1 + found :])
    edges[0], edges[found + 1] = -1.0, high
    _sort(edges, found + 2)
    return found + 1


@compiled(INTEGER(TABLE, ROW, ROW, _LIMITS, FLOAT, FLOAT, ROW))
def _cuts(poly: Floats, bounds: Floats, place: Floats, limits: _Limits, low: float, high: float, edges: Floats) -> int:
    """Cut a part where one of the other limits is reached; number of parts, whose edges go into `edges`."""
    _, _, upper, squint, side, direction = limits
    sx, sy, sz = poly[0, 0] - place[0], poly[0, 1] - place[1], poly[0, 2] - place[2]
    far = np.sqrt(sx * sx + sy * sy + sz * sz) + bounds[1]
    found = 0
    if upper <= 1.0:
        found += _isolate(_RAISED, upper * upper, poly, bounds, place, far, low, high, edges[1:])
    if squint > 0.0:
        found += _isolate(_SQUINT, squint * squint, poly, bounds, place, far, low, high, edges[1 + found :])
    if side != 0.0:
        found += _isolate(_SIDE, 0.0, poly, bounds, place, far, low, high, edges[1 + found :])
    if direction != 0.0:
        found += _isolate(_ASCENDING, 0.0, poly, bounds, place, far, low, high, edges[1 + found :])
    edges[0], edges[found + 1] = low, high
    _sort(edges, found + 2)
    return found + 1


@compiled(INTEGER(TABLE, ROW, ROW, FLOAT, FLOAT, ROW))
def _zero_doppler(poly: Floats, bounds: Floats, place: Floats, low: float, high: float, instants: Floats) -> int:
    """Find the zero-Doppler instants of a part."""
    sx, sy, sz = poly[0, 0] - place[0], poly[0, 1] - place[1], poly[0, 2] - place[2]
    far = np.sqrt(sx * sx + sy * sy + sz * sz) + bounds[1]
    return _isolate(_DOPPLER, 0.0, poly, bounds, place, far, low, high, instants)


@compiled(INTEGER(TABLE, ROW, ROW, _LIMITS, FLOAT, TABLE, TABLE))
def _spans(poly: Floats, bounds: Floats, place: Floats, limits: _Limits, high: float, spans: Floats, scratch: Floats) -> int:
    """Parts of a piece, from u = -1 to `high`, in which all limits hold; into `spans`, neighbours not joined.

    The largest incidence angle first, alone: most places that come here are refused by it.
    """
    cosine, squint = limits[1], limits[3]
    if cosine > 0.0 and _never(poly, bounds, cosine * cosine, place):
        return 0
    edges, inner = scratch[0], scratch[1]
    count = 0
    for part in range(_raised(poly, bounds, place, limits, high, edges)):
        low, up = edges[part], edges[part + 1]
        middle = 0.5 * (low + up)
        if _cosine(poly, place, middle) < cosine:
            continue
        if squint == 0.0:
            # Only the zero-Doppler instants themselves.
            cuts = _zero_doppler(poly, bounds, place, low, up, inner)
        else:
            cuts = _cuts(poly, bounds, place, limits, low, up, inner)
        for number in range(cuts):
            first, last = inner[number], inner[number + (squint != 0.0)]
            if count < len(spans) and _allowed(poly, place, limits, 0.5 * (first + last)):
                spans[count, 0], spans[count, 1] = first, last
                count += 1
    return count


@compiled(NOTHING(PIECES, FLOAT, FLOAT, ROW, ROW))
def _describe(pieces: Floats, begin_s: float, step_s: float, place: Floats, row: Floats) -> None:
    """Set how a window looks at its closest approach: columns 2 to 5 of its row."""
    row[2] = _closest(pieces, begin_s, step_s, place, row[0], row[1])
    piece = min(max(int((row[2] - begin_s) / step_s), 0), len(pieces) - 1)
    px, py, pz, vx, vy, vz, _, _, _ = _powers(pieces[piece], 2.0 * ((row[2] - begin_s) / step_s - piece) - 1.0)
    tx, ty, tz = place[0], place[1], place[2]
    sx, sy, sz = px - tx, py - ty, pz - tz
    row[3] = (sx * place[3] + sy * place[4] + sz * place[5]) / np.sqrt(sx * sx + sy * sy + sz * sz)
    row[4] = vx * (py * tz - pz * ty) + vy * (pz * tx - px * tz) + vz * (px * ty - py * tx)
    row[5] = vz


@compiled(INTEGER(FLOAT, FLOAT, INTEGER, TABLE, INTEGER))
def _join(from_s: float, until_s: float, latest: int, table: Floats, row: int) -> int:
    """Row of the latest window of the place, if this one goes on where it ended; else the given row, with this one in it."""
    if latest >= 0 and from_s - table[latest, 1] < _SAME_S:
        table[latest, 1] = max(until_s, table[latest, 1])
        return latest
    table[row, 0], table[row, 1] = from_s, until_s
    return row


@compiled(_FOUND(INTEGERS, TABLE))
def _twice(target: Ints, table: Floats) -> tuple[Ints, Floats]:
    """Copy of a table with twice the room."""
    wider_target, wider = np.empty(2 * len(target), np.int64), np.empty((2 * len(target), 6))
    for row in range(len(target)):
        wider_target[row] = target[row]
        for column in range(6):
            wider[row, column] = table[row, column]
    return wider_target, wider


@compiled(_FOUND(PIECES, _SPAN, _INDEX, _LIMITS))
def search(pieces: Floats, span: _Span, index: _Index, limits: _Limits) -> tuple[Ints, Floats]:
    """Windows of one track, by time; columns as `_windows_of` has them."""
    frames = index[0]
    begin_s, step_s, end_s = span
    target, table = np.empty(_FIRST_ROWS, np.int64), np.empty((_FIRST_ROWS, 6))
    count = 0
    latest, near = np.empty(len(frames), np.int64), np.empty(len(frames), np.int64)
    for number in range(len(frames)):
        latest[number] = -1
    bounds, spans, scratch = np.empty(5), np.empty((2 * _MOST_ROOTS, 2)), np.empty((2, 6 * _MOST_ROOTS))
    for piece in range(len(pieces)):
        poly, start_s = pieces[piece], begin_s + piece * step_s
        high = min(1.0, 2.0 * (end_s - start_s) / step_s - 1.0)
        if high < -1.0:
            break
        _bound(poly, bounds)
        for k in range(_inside_cap(poly, bounds, limits[0], index, near)):
            number = near[k]
            for part in range(_spans(poly, bounds, frames[number], limits, high, spans, scratch)):
                if count == len(target):
                    target, table = _twice(target, table)
                # The end of a piece is the begin of the next to the last bit.
                first, last = spans[part, 0], spans[part, 1]
                from_s = start_s + 0.5 * (first + 1.0) * step_s
                until_s = begin_s + (piece + 1) * step_s if last == 1.0 else start_s + 0.5 * (last + 1.0) * step_s
                row = _join(from_s, min(until_s, end_s), latest[number], table, count)
                if row == count:
                    target[count] = number
                    latest[number] = count
                    count += 1
    for row in range(count):
        _describe(pieces, begin_s, step_s, frames[target[row]], table[row])
    return target[:count].copy(), table[:count].copy()
