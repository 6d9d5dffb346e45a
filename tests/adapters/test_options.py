"""The options of the calculators are those of `Uncertainty`, with its defaults."""

import inspect

import pytest

pytest.importorskip("nequip")

from ltau.adapters.ase import UncertainCalculator, Uncertainty
from ltau.adapters.nequip import UncertainNequIPCalculator


def options_of(function):
    parameters = inspect.signature(function).parameters.values()
    assert all(p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    return {p.name: (p.default, p.annotation) for p in parameters if p.kind is p.KEYWORD_ONLY}


def test_a_calculator_has_all_options():
    assert options_of(UncertainCalculator) == options_of(Uncertainty)


@pytest.mark.parametrize(
    "function", [UncertainNequIPCalculator, UncertainNequIPCalculator.from_model]
)
def test_that_of_nequip_knows_its_units_and_has_all_others(function):
    expected = options_of(Uncertainty)
    del expected["unit_factor"]
    if inspect.ismethod(function):  # a compiled model has a level
        expected["level"] = (None, "float | None")
    found = options_of(function)
    assert {name: found[name] for name in expected} == expected
    others = {"energy_units_to_eV", "length_units_to_A", "estimator", "transforms", "device"}
    assert found.keys() - expected.keys() <= others
