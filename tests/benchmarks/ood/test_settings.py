"""The settings of LTAU that are tried, and how one of them is chosen."""

from dataclasses import fields

import numpy as np
import pytest

for module in ("torch", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.methods.domains import IN_DOMAIN, Domain, Samples  # noqa: E402
from benchmarks.methods.judging.ltau import DISTANCE_AWARE, PAPER  # noqa: E402
from benchmarks.ood import explore  # noqa: E402
from benchmarks.ood.explore import Trial  # noqa: E402
from benchmarks.ood.run import FULL  # noqa: E402
from benchmarks.ood.settings import (  # noqa: E402
    CHOOSING,
    CONFIRMING,
    USED,
    Setting,
    grid,
    one_at_a_time,
)
from benchmarks.ood.settings import PAPER as PAPER_SETTING  # noqa: E402


@pytest.fixture(scope="module")
def domain():
    rng = np.random.default_rng(0)

    def samples(n, shift=0.0):
        latents = (rng.normal(size=(n, 2)) + shift).astype(np.float32)
        return Samples(latents, rng.exponential(size=n), np.arange(n), rng.choice([1, 2], n), {})

    train = samples(200)
    errors = rng.exponential(size=(200, 9)).astype(np.float32)
    return Domain(
        train,
        {"step": errors, "eval": 2 * errors},
        samples(50),
        {IN_DOMAIN: samples(40), "shift": samples(40, 3.0)},
        *(1.0, 1.0, {}, {}, "eV/Å"),
    )


def test_no_set_both_chooses_and_confirms_and_every_set_does_one():
    sets = {data.name for data in (*FULL.fields, *FULL.tables)}
    assert set(CHOOSING) | set(CONFIRMING) == sets
    assert not set(CHOOSING) & set(CONFIRMING)


@pytest.mark.parametrize(("setting", "used"), [(PAPER_SETTING, PAPER), (USED, DISTANCE_AWARE)])
def test_settings_are_those_of_the_comparison(setting, used):
    for name in ("n_neighbors", "burn_in", "scaling", "distance_scaling"):
        assert getattr(setting, name) == used[name]


def test_one_thing_is_changed_at_a_time():
    near = one_at_a_time(USED)
    assert len(dict(near)) == len(near)
    for label, setting in near:
        changed = [
            f.name for f in fields(Setting) if getattr(setting, f.name) != getattr(USED, f.name)
        ]
        assert changed == [label.split(" = ")[0]]


def test_the_grid_holds_every_combination_once():
    assert grid()[0] == PAPER_SETTING
    assert len(set(grid())) == len(grid()) == 4 * 3 * 3 * 3 * 2
    assert USED in grid()


class TestPredict:
    def test_a_global_reference_stretches_by_the_distance_alone(self, domain):
        plain = Setting(5, 0.0, "none", distance_scaling=0.0)
        stretched = Setting(5, 0.0, "none", distance_scaling=2.0, reference="global")
        factor = stretched.predict(domain)["shift"].mean() / plain.predict(domain)["shift"].mean()
        train, test = domain.train, domain.tests["shift"]

        def nearest(queries, classes, left_out):
            distances = np.linalg.norm(queries[:, None] - train.latents[None], axis=2)
            distances[classes[:, None] != train.classes[None]] = np.inf
            return np.sort(distances, axis=1)[:, left_out : left_out + 5].mean(axis=1)

        reference = nearest(train.latents, train.classes, 1).mean()
        expected = (nearest(test.latents, test.classes, 0) / reference) ** 2
        np.testing.assert_allclose(factor, expected, rtol=1e-3)

    def test_errors_are_those_asked_for(self, domain):
        step, after = (Setting(5, errors=mode).predict(domain) for mode in ("step", "eval"))
        np.testing.assert_allclose(after[IN_DOMAIN].mean(), 2 * step[IN_DOMAIN].mean(), rtol=1e-5)

    def test_strata_may_be_left_alone(self, domain):
        together = Setting(5, strata=False).predict(domain)["shift"].mean()
        apart = Setting(5, strata=True).predict(domain)["shift"].mean()
        assert np.abs(together / apart - 1).max() > 0.01


def trial(data, setting, in_domain, shifted):
    scores = {
        name: {"crps": value, "spearman": 0.5, "ratio": 1.0}
        for name, value in (("in domain", in_domain), ("shifted", shifted))
    }
    return Trial(data, data, 0, setting, scores)


def trials():
    """On every set: the paper's CRPS is 1, all others' 2, but for one setting."""
    best, tempting = grid()[7], grid()[8]
    found = []
    for data in (*CHOOSING, *CONFIRMING):
        found.append(trial(data, PAPER_SETTING, 1.0, 1.0))
        for setting in grid()[1:]:  # the first is the paper's
            if setting == best:
                found.append(trial(data, setting, 0.9, 0.5))
            elif setting == tempting:  # only where it must not be looked at
                value = 0.1 if data in CONFIRMING else 3.0
                found.append(trial(data, setting, value, value))
            else:
                found.append(trial(data, setting, 2.0, 2.0))
    return found


def test_the_setting_is_chosen_on_the_choosing_sets_alone():
    assert explore.choose(trials()) == grid()[7]


def test_the_tables_tell_what_was_chosen_and_by_how_much(tmp_path):
    text = explore.write(trials(), tmp_path)
    chosen = next(line for line in text.splitlines() if line.startswith("| chosen |"))
    assert chosen == "| chosen | -10.0 | 0.500 | 1.00 | -50.0 | 0.500 | 1.00 |"
    assert (tmp_path / "explore.md").read_text("utf-8") == text
    assert (tmp_path / "explore.json").is_file()
