"""Polar format against the sum that defines an image, on simulated echoes from an orbit and from an aircraft."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.form import Method, form_pixels
from kizuna.sar.grid import PlaneGrid, ground_grid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.plane_waves import ApparentPlaces, PlaneWaves, projected_sights
from kizuna.sar.polar import polar_format, polar_reference


def orbit(points_m, *, pulses=200, frequencies=220):
    """Echoes heard over 3 s of a circular orbit 540 km high, at 45 degrees, of 469 MHz about 9.65 GHz."""
    time = np.linspace(-1.5, 1.5, pulses)
    radius, rate = 6.911e6, 1.1e-3
    angle = rate * time
    positions = radius * np.stack([np.sin(angle), 0.4 * (1.0 - np.cos(angle)), np.cos(angle)], axis=-1)
    positions += np.array([0.0, -5.2e5, -radius + 5.2e5])
    reference = np.linalg.norm(positions, axis=-1) + np.linspace(-3.0, 3.0, pulses)
    frequency = 9.65e9 + 469e6 * (np.arange(frequencies) / frequencies - 0.5)
    samples = np.zeros((pulses, frequencies), complex)
    for point in np.atleast_2d(points_m):
        offset = np.linalg.norm(positions - point, axis=-1) - reference
        samples += np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset[:, None] * frequency)
    return PhaseHistory(samples.astype(np.complex64), frequency, positions, reference, "VV")


def exact(history, grid, rows, cols):
    pixels = grid.to_scene(rows, cols)
    image = np.zeros(rows.shape, complex)
    for samples, position, reference in zip(history.samples, history.positions_m, history.reference_range_m, strict=True):
        offset = np.linalg.norm(pixels - position, axis=-1) - reference
        image += np.exp(4j * math.pi / SPEED_OF_LIGHT_M_S * offset[..., None] * history.frequencies_hz) @ samples
    return image / history.samples.size


def error_db(image, history, grid, places_m):
    """Error at pixels about `places_m` and at the grid's edges, relative to the root mean square there."""
    rows, cols = zip(*(grid.from_scene(place) for place in places_m), strict=True)
    down, across = np.meshgrid(np.arange(-3, 4), np.arange(-3, 4), indexing="ij")
    rows = np.concatenate([np.rint(row).astype(int) + down.ravel() for row in rows] + [[0, 0, grid.rows - 1, grid.rows - 1]])
    cols = np.concatenate([np.rint(col).astype(int) + across.ravel() for col in cols] + [[0, grid.cols - 1, 0, grid.cols - 1]])
    rows, cols = np.clip(rows, 0, grid.rows - 1), np.clip(cols, 0, grid.cols - 1)
    truth = exact(history, grid, rows, cols)
    return 10.0 * math.log10(np.mean(np.abs(image[rows, cols] - truth) ** 2) / np.mean(np.abs(truth) ** 2))


POINTS = np.array([[0.0, 0.0, 0.0], [31.0, 29.0, 0.0], [-31.5, 20.0, 3.0], [28.0, -31.0, 0.0], [-31.0, -31.0, 0.0]])


@pytest.fixture(scope="module")
def collected():
    history = orbit(POINTS)
    return history, ground_grid(history, extent_m=64.0, spacing_m=0.25)


def test_fast_way_is_backprojection(collected):
    history, grid = collected
    assert error_db(polar_format(history, grid), history, grid, POINTS) < -58.0


def test_reference_is_backprojection(collected):
    history, grid = collected
    assert error_db(polar_reference(history, grid), history, grid, POINTS) < -75.0


def test_pieces_leave_no_seam(collected):
    history, grid = collected
    told = []
    image = polar_format(history, grid, blur_rad=6e-6, progress=lambda *at: told.append(at))
    assert told[-1][1] > 1
    assert told == [(piece + 1, len(told)) for piece in range(len(told))]
    assert error_db(image, history, grid, POINTS) < -58.0


def test_coarse_and_oblong_pixels_come_out_as_well(collected):
    # 0.5 m leaves the pixels below the Nyquist rate along rows: they are samples of the image all the same.
    history, grid = collected
    oblong = replace(grid, row_spacing_m=0.5, rows=100, col_spacing_m=0.17, cols=333, origin_m=np.array([3.0, -2.0, 0.0]))
    assert error_db(polar_format(history, oblong), history, oblong, POINTS[:2]) < -58.0


def test_order_of_pulses_does_not_matter(collected):
    history, grid = collected
    order = np.random.default_rng(2).permutation(history.pulses)
    shuffled = replace(
        history,
        samples=history.samples[order],
        positions_m=history.positions_m[order],
        reference_range_m=history.reference_range_m[order],
    )
    assert np.abs(polar_format(shuffled, grid) - polar_format(history, grid)).max() < 1e-5


def test_near_aircraft_needs_pieces_for_its_curved_wavefronts(simulated):
    history = simulated([[6.0, -5.0, 0.0], [-6.0, 6.0, 1.0]], pulses=96, frequencies=90)
    grid = ground_grid(history, extent_m=15.0, spacing_m=0.1)
    places = [[6.0, -5.0, 0.0]]
    assert error_db(polar_format(history, grid, blur_rad=1e-3), history, grid, places) < -55.0
    assert error_db(polar_reference(history, grid, blur_rad=1e-3), history, grid, places) < -58.0


def test_turned_grids_are_the_references(collected):
    history, grid = collected
    north = PlaneGrid(np.zeros(3), np.array([1.0, 0.0, 0.0]), np.array([0.0, -1.0, 0.0]), 0.25, 0.25, 160, 160)
    with pytest.raises(InputError) as refusal:
        polar_format(history, north)
    assert refusal.value.field == "grid"
    assert error_db(polar_reference(history, north), history, north, POINTS[:1]) < -75.0
    c, s = math.cos(0.1), math.sin(0.1)
    turned = replace(
        grid,
        row_direction=c * grid.row_direction + s * grid.col_direction,
        col_direction=c * grid.col_direction - s * grid.row_direction,
    )
    assert error_db(polar_format(history, turned), history, turned, POINTS[:3]) < -58.0


def test_squinted_rays_reach_beyond_the_rows_of_the_image(collected):
    # Rows turned by 0.4 from the line of sight: a ray sees a corner 0.42 x 32 m farther along itself than its row is.
    _, grid = collected
    c, s = math.cos(0.4), math.sin(0.4)
    squinted = replace(
        grid,
        row_direction=c * grid.row_direction + s * grid.col_direction,
        col_direction=c * grid.col_direction - s * grid.row_direction,
    )
    corners = np.array([squinted.to_scene(row, col) for row, col in ((6, 6), (6, 249), (249, 6), (249, 249))])
    echoes = orbit(corners)
    assert error_db(polar_format(echoes, squinted), echoes, squinted, corners) < -48.0


def near(*, half_m, bandwidth_hz, points):
    """Echoes heard 600 m away over a short track of `half_m` to either side."""
    positions = np.array([0.0, -500.0, 331.66]) + np.linspace(-half_m, half_m, 48)[:, None] * np.array([1.0, 0.0, 0.0])
    reference = np.linalg.norm(positions, axis=-1)
    frequency = 9.65e9 + bandwidth_hz * (np.arange(480) / 480 - 0.5)
    offset = np.linalg.norm(positions[:, None] - points, axis=-1) - reference[:, None]
    samples = np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset[:, :, None] * frequency).sum(axis=1)
    return PhaseHistory(samples.astype(np.complex64), frequency, positions, reference, "VV")


CORNERS = np.array([[27.0, 27.0, 0.0], [-27.0, 26.0, 0.0], [27.0, -27.0, 0.0], [0.0, 0.0, 0.0]])


def test_wavefronts_that_bend_much_move_pixels_across_as_well_as_along():
    # A corner appears 0.9 m farther, three resolution cells, and out there the way across is another by a twentieth of that.
    history = near(half_m=1.9, bandwidth_hz=600e6, points=CORNERS)
    grid = ground_grid(history, extent_m=58.0, spacing_m=0.25)
    told = []
    image = polar_format(history, grid, blur_rad=2e-2, progress=lambda *at: told.append(at))
    assert told == [(1, 1)]
    assert error_db(image, history, grid, CORNERS) < -48.0


def test_pieces_are_cut_where_lines_across_bend_too_much():
    # Resolved coarsely in range, and as coarsely across: nothing blurs, but reading along bent lines would cost -27 dB.
    history = near(half_m=1.5, bandwidth_hz=60e6, points=CORNERS)
    grid = ground_grid(history, extent_m=58.0, spacing_m=1.0)
    assert error_db(polar_format(history, grid), history, grid, CORNERS) < -44.0


def test_refuses_more_range_than_the_frequencies_tell_apart(collected):
    history, _ = collected
    with pytest.raises(InputError, match="the frequency step tells") as refusal:
        polar_format(history, ground_grid(history, extent_m=200.0, spacing_m=0.5))
    assert refusal.value.field == "extent_m"


@pytest.mark.parametrize("method", [Method.POLAR_FORMAT, Method.POLAR_REFERENCE])
def test_methods_by_name(collected, method):
    history, grid = collected
    small = replace(grid, rows=24, cols=24)
    assert np.abs(form_pixels(history, small, method) - form_pixels(history, small)).max() < 1e-2


def test_sights_laid_into_the_image_plane_keep_the_ground_in_focus():
    # Whatever plane it is dropped onto, at right angles: a point of the ground has the phase there that it has on the ground.
    draw = np.random.default_rng(4)
    up = np.array([0.0, 0.0, 1.0])
    normal = np.array([0.5, -0.3, 0.8]) / math.sqrt(0.98)
    sights = draw.normal(size=(9, 3))
    ground = draw.normal(size=(5, 3)) * [1.0, 1.0, 0.0]
    dropped = ground - (ground @ normal)[:, None] * normal
    laid = projected_sights(sights, normal, up)
    assert laid @ normal == pytest.approx(np.zeros(9), abs=1e-12)
    assert laid @ dropped.T == pytest.approx(sights @ ground.T, abs=1e-12)


def test_apparent_places_follow_the_closed_form_of_a_level_line():
    # Seen from R, a point x across the line of sight is farther by x^2 / 2 R, to second order.
    history = orbit([[0.0, 0.0, 0.0]])
    grid = ground_grid(history, extent_m=10.0, spacing_m=1.0)
    waves = PlaneWaves.about(history, np.zeros(3), grid.row_direction, grid.col_direction)
    xi, eta, phase = waves.apparent(np.array([[0.0, 0.0, 0.0], 300.0 * grid.col_direction]))
    slant_m, cosine = float(waves.centre_range_m.mean()), float(waves.row_cosine.mean())
    assert (xi[0], eta[0], phase[0]) == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)
    assert xi[1] == pytest.approx(300.0**2 / (2.0 * slant_m) / cosine, rel=0.02)
    assert abs(eta[1]) == pytest.approx(300.0, abs=0.1)
    places = ApparentPlaces.over(waves, grid.row_direction, grid.col_direction, (400.0, 400.0))
    fitted = places.along_rows(places.row, np.array([0.0]))[0] @ (0.75 ** np.arange(6))
    assert fitted == pytest.approx(xi[1], abs=1e-6)
