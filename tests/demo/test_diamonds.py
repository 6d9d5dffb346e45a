"""The demo of a network that prices diamonds."""

import pytest

from ltau.cli import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What a short demo printed, and the folder it wrote to."""
    pytest.importorskip("plotnine")
    pytest.importorskip("torch")
    output = tmp_path_factory.mktemp("demo") / "pictures"
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text: printed.extend(map(str, text)))
        main(["demo", "--output", str(output), "--epochs", "9"])
    return "\n".join(printed), output


def test_it_compares_with_the_baselines(demo):
    text, output = demo
    in_domain, larger = text.split("larger diamonds")
    rows = {line[:20].strip(): line[20:].split() for line in in_domain.splitlines()}
    ltau, distance = (float(rows[name][0]) for name in ("LTAU", "distance alone"))
    assert ltau > distance > 0.1  # in domain, densities rank better than distances
    assert "constant" in rows
    assert "constant" in larger
    assert str(output) in text


def test_it_draws(demo):
    pictures = {path.stem: path.read_bytes() for path in demo[1].iterdir()}
    assert set(pictures) == {"calibration", "error_densities", "predicted_error", "risk_coverage"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
