"""What share/packaging says of the package is what pyproject.toml says."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.support.paths import ROOT

PACKAGING = ROOT / "share" / "packaging"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
CONDA_NAMES = {"msgpack": "msgpack-python", "prometheus-client": "prometheus_client"}
"""What conda-forge calls packages that have another name on the Python package index."""
BASE_IMAGES = ("Containerfile", "virnucpro-bus.def")


@pytest.fixture(scope="module")
def recipe() -> Any:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: scripts/venv requirements-dev.lock")
    return yaml.safe_load((PACKAGING / "conda" / "meta.yaml").read_text(encoding="utf-8"))


def in_conda(requirement: str) -> str:
    """A requirement of pyproject.toml in the words of conda, without its marker."""
    name, version = re.fullmatch(r"([\w.-]+)(>=[\d.]+).*", requirement).groups()  # type: ignore[union-attr]
    return f"{CONDA_NAMES.get(name, name)} {version}"


def test_the_conda_recipe_is_of_this_version_and_licence_and_makes_the_command(recipe: Any) -> None:
    assert recipe["package"] == {"name": PROJECT["name"], "version": PROJECT["version"]}
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["build"]["entry_points"] == [f"{name} = {main}" for name, main in PROJECT["scripts"].items()]


@pytest.mark.parametrize("when", ["host", "run"])
def test_the_conda_recipe_names_every_dependency(recipe: Any, when: str) -> None:
    built = {"pip", *map(in_conda, PYPROJECT["build-system"]["requires"])} if when == "host" else set()
    named = {each for each in recipe["requirements"][when] if not each.startswith("python ")}
    assert named == {*map(in_conda, PROJECT["dependencies"]), *built}


def test_the_conda_recipe_takes_the_versions_of_python_that_all_dependencies_take(recipe: Any) -> None:
    (limited,) = (each for each in PROJECT["dependencies"] if "python_version" in each)
    below = limited.partition("python_version < '")[2].rstrip("'")
    for when in ("host", "run"):
        assert f"python {PROJECT['requires-python']},<{below}" in recipe["requirements"][when]


@pytest.mark.parametrize("file", BASE_IMAGES)
def test_containers_have_a_python_that_is_supported(file: str) -> None:
    text = (PACKAGING / file).read_text(encoding="utf-8")
    versions = set(re.findall(r"python:(\d\.\d+)-slim", text))
    assert len(versions) == 1
    assert versions <= {each.rpartition(" ")[2] for each in PROJECT["classifiers"]}


@pytest.mark.parametrize("file", BASE_IMAGES)
def test_containers_run_the_command_without_a_shell_between(file: str) -> None:
    """A shell would be the process that gets the signals, and would not pass them on."""
    text = (PACKAGING / file).read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["virnucpro-bus"]' in text or 'exec virnucpro-bus "$@"' in text


def test_each_file_says_that_it_is_not_tested_before_its_first_command() -> None:
    for path in (path for path in PACKAGING.rglob("*") if path.is_file()):
        before = path.read_text(encoding="utf-8").partition("#\n")[0]
        assert before.endswith("Not tested yet.\n"), path.name
