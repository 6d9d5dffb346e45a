"""Structures as they are drawn."""

import numpy as np
import pytest

for module in ("ase", "joblib", "nequip", "matplotlib"):
    pytest.importorskip(module)

from dataclasses import replace  # noqa: E402

from ase.data import covalent_radii  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from matplotlib.cm import ScalarMappable  # noqa: E402
from matplotlib.colors import Normalize  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from benchmarks.is2rs.report.render import draw_structure  # noqa: E402


def balls(path, values, view):
    """Draw; give the balls in the order in which they are drawn: middle, radius and colour."""
    ax = Figure().subplots()
    draw_structure(ax, path, 0, values, ScalarMappable(Normalize(0, 1), "viridis"), view)
    (drawn,) = ax.collections
    boxes = [outline.get_extents() for outline in drawn.get_paths()]
    middles = np.array([(box.x0 + box.width / 2, box.y0 + box.height / 2) for box in boxes])
    return middles, np.array([box.width / 2 for box in boxes]), drawn.get_facecolor(), ax


@pytest.fixture(scope="module")
def path(relax):
    return relax(1)[0].path


def test_every_atom_is_a_ball_of_its_size_coloured_by_its_value(path):
    values = np.linspace(0, 1, len(path.tags))
    _, radii, colors, ax = balls(path, values, "top")
    np.testing.assert_allclose(
        np.sort(radii), 0.8 * np.sort(covalent_radii[path.numbers]), rtol=1e-3
    )
    wanted = ScalarMappable(Normalize(0, 1), "viridis").to_rgba(values)
    for color, tag in zip(wanted, path.tags, strict=True):
        assert (tag == 0) or np.isclose(colors, color).all(axis=1).any()
    grey = np.isclose(colors[:, 0], colors[:, 1]) & np.isclose(colors[:, 1], colors[:, 2])
    assert grey.sum() == (path.tags == 0).sum()
    assert ax.get_aspect() == 1


def test_what_is_near_is_drawn_last(path):
    values = np.zeros(len(path.tags))
    middles, radii, _, _ = balls(path, values, "top")
    assert radii[-1] == pytest.approx(0.8 * covalent_radii[path.numbers[-1]], rel=1e-3)
    assert middles[-1] == pytest.approx(path.positions[0, -1, :2], abs=1e-3)
    side, _, _, _ = balls(path, values, "side")
    assert side[:, 1].max() == pytest.approx(path.positions[0, :, 2].max(), abs=1e-3)


@given(cells=st.lists(st.integers(-2, 2), min_size=2, max_size=2))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_atoms_wrapped_along_the_surface_look_the_same(path, cells):
    values = np.linspace(0, 1, len(path.tags))
    moved = path.positions.copy()
    moved[:, 0] += cells @ path.cell[:2]  # an atom of the slab
    before, _, _, _ = balls(path, values, "top")
    after, _, _, _ = balls(replace(path, positions=moved), values, "top")
    np.testing.assert_allclose(np.sort(after, axis=0), np.sort(before, axis=0), atol=1e-6)


def test_bad_arguments_are_refused(path):
    with pytest.raises(ValueError, match="Expected a view of top, side, got 'below'"):
        balls(path, np.zeros(len(path.tags)), "below")
    with pytest.raises(ValueError, match="Expected values of shape"):
        balls(path, np.zeros(2), "top")


def test_nothing_hides_the_adsorbate_from_the_side(path):
    values = np.zeros(len(path.tags))
    _, radii, _, _ = balls(path, values, "side")
    molecule = 0.8 * covalent_radii[path.numbers[path.tags == 2]]
    np.testing.assert_allclose(
        np.sort(radii[-len(molecule) :]), np.sort(molecule), rtol=1e-3, err_msg="drawn last"
    )
