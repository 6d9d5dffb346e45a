"""The settings of LTAU that are tried, and how one of them is chosen."""

from dataclasses import fields, replace

import numpy as np
import pytest

for module in ("torch", "ase", "pooch", "matplotlib"):
    pytest.importorskip(module)

from benchmarks.methods.domains import IN_DOMAIN, Domain, Samples  # noqa: E402
from benchmarks.methods.judging.ltau import PAPER as PAPER_METHOD  # noqa: E402
from benchmarks.ood import explore  # noqa: E402
from benchmarks.ood.explore import Trial  # noqa: E402
from benchmarks.ood.run import FULL  # noqa: E402
from benchmarks.ood.settings import (  # noqa: E402
    CHOOSING,
    CONFIRMING,
    FIELDS,
    PAPER,
    TABLES,
    Setting,
)
from ltau import LTAUEstimator  # noqa: E402
from ltau.structures import FORCE_FIELD  # noqa: E402

KINDS = pytest.mark.parametrize("kind", [TABLES, FIELDS], ids=lambda kind: kind.name)


@pytest.fixture(scope="module")
def domain():
    rng = np.random.default_rng(0)

    def samples(n, shift=0.0):
        latents = (rng.normal(size=(n, 2)) + shift).astype(np.float32)
        target = latents[:, 0].astype(float)
        classes, structures = rng.choice([1, 2], n), np.arange(n) // 4
        known = {"targets": target, "y_pred": target + rng.normal(size=n)}
        return Samples(latents, rng.exponential(size=n), structures, classes, {}, **known)

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


def test_the_centers_are_what_users_get():
    defaults = LTAUEstimator().get_params()
    for field in fields(Setting):
        if field.name in defaults:
            assert getattr(TABLES.center, field.name) == defaults[field.name]
    for name, value in FORCE_FIELD.items():
        assert getattr(FIELDS.center, name) == value
    for name, value in PAPER_METHOD.items():
        assert getattr(PAPER, name) == value


@KINDS
def test_one_thing_is_changed_at_a_time(kind):
    near = kind.one_at_a_time(kind.center)
    assert len(dict(near)) == len(near)
    for label, setting in near:
        changed = {
            f.name
            for f in fields(Setting)
            if getattr(setting, f.name) != getattr(kind.center, f.name)
        }
        assert changed <= {"stretch", "distance_scaling"} or changed == {label.split(" = ")[0]}


@KINDS
def test_steps_lead_from_the_paper_to_the_default(kind):
    steps = kind.one_after_the_other()
    assert steps[0][1] == PAPER
    assert steps[-1][1] == kind.center
    assert len({setting for _, setting in steps}) == len(steps)


@KINDS
def test_the_grid_holds_every_combination_once_and_the_default(kind):
    grid = kind.settings()
    assert len(set(grid)) == len(grid)
    assert kind.center in grid


def predict(setting, domain):
    return setting.predict(setting.fit(domain), domain)


class TestPredict:
    def test_it_is_calibrated_on_the_validation_samples(self, domain):
        setting = Setting(5)
        estimator = LTAUEstimator(5).fit(
            domain.train.latents, domain.trajectories["eval"], targets=domain.train.targets
        )
        held_out, test = domain.validation, domain.tests["shift"]
        estimator.calibrate(held_out.latents, held_out.errors, y_pred=held_out.y_pred)
        expected = estimator.predict(test.latents, y_pred=test.y_pred)
        np.testing.assert_allclose(predict(setting, domain)["shift"].errors.mean(), expected)

    def test_settings_of_one_fit_share_it(self, domain):
        one, other = Setting(5), Setting(5, stretch="power", distance_scaling=1.0)
        assert one.of_fit == other.of_fit
        shared = one.fit(domain)
        one.predict(shared, domain)
        found = other.predict(shared, domain)["shift"].errors.mean()
        np.testing.assert_array_equal(found, predict(other, domain)["shift"].errors.mean())

    def test_errors_are_those_asked_for(self, domain):
        step, after = (Setting(5, errors=mode).fit(domain) for mode in ("step", "eval"))
        np.testing.assert_allclose(after.bin_edges_[-1], 2 * step.bin_edges_[-1], rtol=1e-5)

    @pytest.mark.parametrize("change", [{"strata": True}, {"groups": True}])
    def test_strata_and_groups_may_be_left_alone(self, domain, change):
        plain = predict(Setting(5), domain)["shift"].errors.mean()
        changed = predict(replace(Setting(5), **change), domain)["shift"].errors.mean()
        assert np.abs(plain / changed - 1).max() > 1e-4


def trial(data, setting, in_domain, shifted):
    scores = {
        name: {"crps": value, "spearman": 0.5, "log_ratio": 0.1, "coverage": 0.9}
        for name, value in (("in domain", in_domain), ("shifted", shifted))
    }
    return Trial(data, data, 0, setting, scores)


def trials(kind):
    """On every set: the paper's CRPS is 1, all others' 2, but for one setting."""
    best, tempting = kind.settings()[7], kind.settings()[8]
    found = []
    for data in (*kind.choosing, *kind.confirming):
        found.append(trial(data, PAPER, 1.0, 1.0))
        for setting in kind.settings():
            if setting == best:
                found.append(trial(data, setting, 0.9, 0.5))
            elif setting == tempting:  # only where it must not be looked at
                value = 0.1 if data in kind.confirming else 3.0
                found.append(trial(data, setting, value, value))
            else:
                found.append(trial(data, setting, 2.0, 2.0))
    return found


@KINDS
def test_the_setting_is_chosen_on_the_choosing_sets_alone(kind):
    assert explore.choose(trials(kind), kind) == kind.settings()[7]


@KINDS
def test_the_tables_tell_what_was_chosen_and_by_how_much(tmp_path, kind):
    text = explore.write(trials(kind), tmp_path)
    chosen = next(line for line in text.splitlines() if line.startswith("| chosen |"))
    assert chosen == "| chosen | -10.0 | 0.500 | 0.10 | 0.900 | -50.0 | 0.500 | 0.10 | 0.900 |"
    assert (tmp_path / "explore.md").read_text("utf-8") == text
    assert (tmp_path / "explore.json").is_file()
