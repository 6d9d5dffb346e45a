"""The command line, and the demo that it runs."""

import sys

import pytest

from ltau import __version__
from ltau.cli import main


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"ltau {__version__}\n"


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "demo" in capsys.readouterr().err


def test_the_demo_says_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "plotnine.data", None)
    monkeypatch.delitem(sys.modules, "ltau.demo", raising=False)
    with pytest.raises(SystemExit, match="1"):
        main(["demo"])
    assert "pip install 'ltau[demo]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--epochs", "0"], "expected at least 1"), (["--output", "taken"], "cannot write to")],
)
def test_the_demo_refuses_what_cannot_work(arguments, message, tmp_path, monkeypatch, capsys):
    pytest.importorskip("plotnine")
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").touch()
    with pytest.raises(SystemExit, match="2"):
        main(["demo", *arguments])
    assert message in capsys.readouterr().err


def test_the_nequip_commands_say_what_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "nequip.data", None)
    for name in [name for name in sys.modules if name.startswith("ltau.adapters.nequip")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match="1"):
        main(["nequip", "fit", "run", "-o", "model.ltau"])
    assert "ltau nequip fit needs nequip" in capsys.readouterr().err


def test_the_nequip_commands_need_a_folder_to_write_to(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["nequip", "fit", "run", "-o", str(tmp_path / "no" / "model.ltau")])
    assert "there is no such folder" in capsys.readouterr().err


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


def test_the_demo_compares_with_the_baselines(demo):
    text, output = demo
    in_domain, larger = text.split("larger stones")
    rows = {line[:20].strip(): line[20:].split() for line in in_domain.splitlines()}
    ltau, distance = (float(rows[name][0]) for name in ("LTAU", "distance alone"))
    assert ltau > distance > 0.1  # in domain, densities rank better than distances
    assert "constant" in rows
    assert "constant" in larger
    assert str(output) in text


def test_the_demo_draws(demo):
    pictures = {path.stem: path.read_bytes() for path in demo[1].iterdir()}
    assert set(pictures) == {"calibration", "error_densities", "predicted_error", "risk_coverage"}
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
