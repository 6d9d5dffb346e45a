"""The command line."""

import subprocess
import sys

import pytest

from ltau import __version__
from ltau.cli import main


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"ltau {__version__}\n"


def test_without_a_command_there_is_help(capsys):
    main([])
    alone = capsys.readouterr().out
    assert all(command in alone for command in ("compare", "demo", "fit", "nequip", "score"))
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert capsys.readouterr().out == alone


def test_the_package_can_be_run():
    run = [sys.executable, "-m", "ltau", "--version"]
    shown = subprocess.run(run, capture_output=True, text=True, check=True)
    assert shown.stdout == f"ltau {__version__}\n"


def test_help_shows_the_defaults_that_there_are(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["compare", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "number of folds (default: 5)" in shown
    assert "seed of the folds (default: 0)" in shown
    assert "None" not in shown


@pytest.mark.parametrize(
    ("demo", "missing", "extras"),
    [("diamonds", "plotnine.data", "demo"), ("nequip", "nequip.data", "nequip,plot")],
)
def test_a_demo_says_what_is_missing(demo, missing, extras, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    for name in [
        name for name in sys.modules if name.startswith(("ltau._demo", "ltau.adapters.n"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match="1"):
        main(["demo", demo])
    message = capsys.readouterr().err
    assert f"ltau demo {demo} needs {missing.split('.')[0]}" in message
    assert f"pip install 'ltau[{extras}]'" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "expected at least 1"),
        (["--output", "taken"], "cannot write to"),
        (["stones"], "invalid choice"),
    ],
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
    for name in [
        name for name in sys.modules if name.startswith(("ltau._commands", "ltau.adapters.n"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(SystemExit, match="1"):
        main(["nequip", "fit", "run", "-o", "model.ltau"])
    assert "ltau nequip fit needs nequip" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fit", "predict", "compile"])
def test_the_nequip_commands_say_that_models_are_code(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["nequip", command, "--help"])
    assert "runs code that it holds" in " ".join(capsys.readouterr().out.split())


def test_the_nequip_commands_need_a_folder_to_write_to(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["nequip", "fit", "run", "-o", str(tmp_path / "no" / "model.ltau")])
    assert "there is no such folder" in capsys.readouterr().err
