"""The demo of a force field, with little data and a short training."""

import numpy as np
import pytest

for needed in ("ase", "matplotlib", "nequip"):
    pytest.importorskip(needed)

from ase import Atoms  # noqa: E402
from ase.calculators.emt import EMT  # noqa: E402

from ltau._demo import nequip  # noqa: E402
from ltau.cli import main  # noqa: E402

N_STEPS = 20

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning"  # nequip's own use of it
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What it printed, and the folder it wrote to."""
    output, sample = tmp_path_factory.mktemp("demo") / "pictures", nequip.sample
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text: printed.extend(map(str, text)))
        patch.setattr(nequip, "sample", lambda t, n_clusters, rng: sample(t, n_clusters // 6, rng))
        patch.setattr(nequip, "_FRAMES_EACH", 3)
        patch.setattr(nequip, "_N_STEPS", N_STEPS)
        main(["demo", "nequip", "--output", str(output), "--epochs", "4"])
    return "\n".join(printed), output


def test_it_compares_in_domain_and_beyond(demo):
    text, output = demo
    in_domain, hotter = (
        {line[:18].strip(): line[18:].split() for line in part.splitlines()}
        for part in text.split("frames at 1200 K")
    )
    for rows in (in_domain, hotter):
        assert rows.keys() >= {"LTAU", "LTAU, ood_score", "element alone"}
    ratio = float(in_domain["LTAU"][3])
    assert 0.3 < ratio < 3  # of the same size as the true errors
    assert float(hotter["LTAU, ood_score"][-3]) > 0.9  # tells hot frames from cold ones
    assert float(hotter["element alone"][-3]) == 0.5  # which elements do not
    assert str(output) in text


def test_it_watches_dynamics(demo):
    text, output = demo
    rows = np.genfromtxt(output / "dynamics.csv", delimiter=",", names=True)
    assert "Dynamics at 400 K: " in text
    assert "Dynamics at 1200 K: " in text or "Dynamics at 400 K: step" in text
    np.testing.assert_array_equal(rows["step"], np.arange(len(rows)))
    np.testing.assert_allclose(rows["time"], 5 * rows["step"])
    stopped = ": step" in text
    assert stopped or len(rows) == 2 * N_STEPS + 1


def test_it_draws(demo):
    pictures = {path.stem: path.read_bytes() for path in demo[1].glob("*.png")}
    assert set(pictures) == {"force_errors", "dynamics"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())


def test_true_errors_are_those_of_the_potential(demo):
    errors = nequip.true_errors(demo[1] / "dynamics.csv")
    frames = nequip.ase.io.read(demo[1] / "dynamics.xyz", ":")
    last = frames[-1]
    truth = Atoms(last.symbols, last.positions, calculator=EMT()).get_forces()
    difference = last.get_forces() - truth
    assert len(errors) == len(frames)
    assert errors[-1] == pytest.approx(np.sqrt((difference**2).sum(axis=1)).max())


def test_frames_have_the_forces_of_the_potential():
    frames = nequip.sample(400, 2, np.random.default_rng(0))
    assert len(frames) == 20
    assert str(frames[0].symbols) == str(frames[9].symbols) != str(frames[10].symbols)
    again = Atoms(frames[3].symbols, frames[3].positions, calculator=EMT())
    np.testing.assert_allclose(frames[3].get_forces(), again.get_forces(), atol=1e-12)


def test_elements_alone_know_the_errors_on_held_out_frames():
    rng = np.random.default_rng(0)
    numbers = rng.choice([29, 79], (4, 5))
    held_out = nequip.Predictions(numbers, *rng.exponential(size=(4, 4, 5)))
    test = nequip.Predictions(numbers[:2], *rng.exponential(size=(4, 2, 5)))
    mean, upper = nequip.scored(test, held_out)["element alone"]
    for row, column in np.ndindex(2, 5):
        same = [
            held_out.error[i, j]
            for i, j in np.ndindex(4, 5)
            if numbers[i, j] == numbers[row, column]
        ]
        assert mean[row, column] == pytest.approx(np.mean(same))
        assert upper[row, column] == pytest.approx(np.quantile(same, 0.9))
