"""What a release says of itself, in the files that say it."""

import re
import tomllib
from pathlib import Path

from ltau import __version__

ROOT = Path(__file__).resolve().parents[1]
FOR_DEVELOPERS = {"bench", "dev", "docs", "lint"}


def read(name):
    return (ROOT / name).read_text("utf-8")


def the(pattern, name):
    """The one group that matches in a file."""
    (found,) = re.findall(pattern, read(name), re.M)
    return found


def test_every_file_names_the_version():
    assert the(r"^version: (\S+)$", "CITATION.cff") == __version__
    assert the(r'version = "(\S+)"', "conda/meta.yaml") == __version__
    date = the(rf"^## \[{re.escape(__version__)}\] - (\S+)$", "CHANGELOG.md")
    assert the(r"^date-released: (\S+)$", "CITATION.cff") == date


def test_the_first_page_names_every_extra():
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    of_users = {name for name in extras if not name.startswith("test")} - FOR_DEVELOPERS
    named = the(r"(?s)The extras are (.*?)\.\s", "README.md")
    assert set(re.findall(r"`(\w+)`", named)) == of_users


def test_the_recipe_needs_what_the_project_needs():
    project = tomllib.loads(read("pyproject.toml"))
    recipe = re.findall(r"^    - (\S+ [><].*)$", read("conda/meta.yaml"), re.M)
    needed = project["build-system"]["requires"] + project["project"]["dependencies"]
    python = f"python{project['project']['requires-python']}"
    assert {line.replace(" ", "") for line in recipe} == {*needed, python}
