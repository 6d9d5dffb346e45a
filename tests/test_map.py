"""The map of the house in CONTRIBUTING.md is the house."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def drawn():
    """Paths of the map: of each line the names before its description, under their folder."""
    tree = next(part for part in TEXT.split("```") if "\nltau/\n" in part)
    folders = {}
    for line in tree.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        for name in line.strip().split("  ")[0].split():
            parent = folders[depth - 1] if depth else ROOT
            path = parent / name
            folders[depth] = path
            yield path


def rooms():
    """Folders of the library and their files, two levels deep; adapters by their folders."""
    for path in (ROOT / "ltau").iterdir():
        if path.suffix == ".py" or path.is_dir():
            yield path
    for room in ("estimator", "_fitted", "_maths", "neighbors"):
        yield from (ROOT / "ltau" / room).glob("*.py")


def test_what_is_drawn_is_there():
    assert [str(path) for path in drawn() if not path.exists()] == []


def test_what_is_there_is_drawn():
    known = set(drawn())
    missing = [
        path
        for path in rooms()
        if path.name not in ("__init__.py", "__pycache__") and path not in known
    ]
    assert missing == []


def test_a_newcomers_guess_finds_the_file():
    """What one looks for first, by the words of the map."""
    for words, path in {
        "weights of neighbours": "ltau/_maths/weights.py",
        "conformal scores, levels": "ltau/_fitted/conformal.py",
        "without NaN": "ltau/estimator/_checks.py",
        "hooks.py": "ltau/adapters/_recording/hooks.py",
        "per element": "ltau/neighbors/_strata.py",
        "THE rule": "ltau/_maths/ties.py",
    }.items():
        assert words in TEXT
        assert (ROOT / path).is_file()
