"""The wheel is whole: installed somewhere else, it runs from there and from nowhere else."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.support.paths import RECIPES, ROOT
from virnucpro_bus.cli.commands import OWN

PACKAGES = ("virnucpro_bus", "workers", "monitor")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that is built of it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel is installed."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--target", str(folder), str(wheel)], check=True)
    return folder


def run_installed(site: Path, elsewhere: Path, *command: str) -> str:
    """What `command` prints when only `site` is put on the path and the repository is not the current folder."""
    environment = os.environ | {"PYTHONPATH": str(site)}
    ran = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_wheel_holds_every_file_of_the_three_packages(wheel: Path) -> None:
    meant = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name and ".data/" not in name}
    assert held == meant
    assert {f"{package}/py.typed" for package in PACKAGES} <= held


def shared(wheel: Path, folder: str) -> set[str]:
    """The files that the wheel puts into a folder below share/."""
    with ZipFile(wheel) as archive:
        parts = [name.partition(f".data/data/share/{folder}/") for name in archive.namelist()]
    return {name for _, found, name in parts if found}


def test_the_wheel_installs_a_manual_page_for_every_command(wheel: Path) -> None:
    pages = shared(wheel, "man/man1")
    assert {
        "virnucpro-bus.1",
        "virnucpro-bus-keys-new.1",
        *(f"virnucpro-bus-{name}.1" for name in OWN),
    } <= pages


@pytest.mark.parametrize(
    ("place", "begins"),
    [
        ("bash-completion/completions/virnucpro-bus", "_virnucpro_bus_completion() {"),
        ("zsh/site-functions/_virnucpro-bus", "#compdef virnucpro-bus"),
        ("fish/vendor_completions.d/virnucpro-bus.fish", "function _virnucpro_bus_completion;"),
    ],
)
def test_the_wheel_installs_completion_where_each_shell_looks(wheel: Path, place: str, begins: str) -> None:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(f".data/data/share/{place}"))
        assert archive.read(name).decode().startswith(begins)


def test_the_package_index_would_take_and_show_what_is_built(dist: Path) -> None:
    built = sorted(map(str, dist.iterdir()))
    command = [sys.executable, "-m", "twine", "check", "--strict", *built]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.count("PASSED") == len(built) == 2


def test_the_package_index_finds_the_pages_and_pictures_of_the_readme(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        shown = archive.read(metadata).decode()
    targets = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", shown)
    assert len(targets) > 10
    for picture, target in targets:
        beginning = "https://raw.githubusercontent.com/" if picture else "https://github.com/"
        place = target.removeprefix(f"{beginning}virnucpro/virnucpro_bus/")
        assert target != place
        assert (ROOT / place.removeprefix("blob/").removeprefix("main/").partition("#")[0]).exists()


def test_the_wheel_installs_the_recipes(wheel: Path) -> None:
    assert shared(wheel, "virnucpro-bus/recipes") == {path.name for path in RECIPES.iterdir()}


def test_the_wheel_declares_the_command(wheel: Path) -> None:
    declared = ConfigParser()
    with ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("/entry_points.txt"))
        declared.read_string(archive.read(entry_points).decode())
    assert dict(declared["console_scripts"]) == PROJECT["scripts"]


def test_the_installed_packages_are_those_imported(site: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}\nfor each in ({', '.join(PACKAGES)}): print(each.__file__)"
    printed = run_installed(site, tmp_path, sys.executable, "-c", code)
    assert printed.splitlines() == [str(site / package / "__init__.py") for package in PACKAGES]


def test_the_installed_command_lists_its_subcommands(site: Path, tmp_path: Path) -> None:
    printed = run_installed(site, tmp_path, str(site / "bin" / "virnucpro-bus"), "--help")
    listed = {line.split()[0] for line in printed.splitlines() if line.startswith("  ") and line.strip()}
    assert {"run", "monitor", "hub", "replay", "info", "doctor"} <= listed


def test_the_installed_module_tells_its_version(site: Path, tmp_path: Path) -> None:
    printed = run_installed(site, tmp_path, sys.executable, "-m", "virnucpro_bus", "--version")
    assert PROJECT["version"] in printed


def test_each_installed_subcommand_can_be_loaded(site: Path, tmp_path: Path) -> None:
    code = """
import sys
from virnucpro_bus.cli.commands import OWN, load_own
for name in OWN:
    print(name, sys.modules[load_own(name).callback.__module__].__file__)
"""
    printed = run_installed(site, tmp_path, sys.executable, "-c", code)
    loaded = dict(line.split(" ", 1) for line in printed.splitlines())
    assert loaded.keys() == OWN.keys()
    assert all(Path(path).is_relative_to(site) for path in loaded.values())


def test_the_three_packages_share_one_parent_folder() -> None:
    """`workers` and `monitor` are common names: any other package of that name on the path would win silently."""
    assert {origin(package).parents[1] for package in PACKAGES} == {ROOT}


def origin(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def test_the_citation_names_the_version_and_license_of_the_package() -> None:
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    assert f"version: {PROJECT['version']}" in lines
    assert f"license: {PROJECT['license']}" in lines
    assert f"repository-code: {PROJECT['urls']['Homepage']}" in lines
