"""The documents name what is there: every link and every path in them, and every wing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.paths import DOCS, ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *(ROOT / "scripts").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
)
PACKAGES = ("virnucpro_bus", "workers", "monitor")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
PATH = re.compile(rf"(?<![\w./-])((?:{'|'.join(PACKAGES)}|tests|scripts|docs)/[\w./*{{}},-]*[\w*}}])")
MODULE = re.compile(r"`((?:\w+/)*\w+\.py)`")
WINGS = sorted(
    init.parent.relative_to(ROOT) for package in PACKAGES for init in (ROOT / package).glob("*/__init__.py")
)
MODULE_NAMES = {path.name for folder in (*PACKAGES, "tests", "scripts") for path in (ROOT / folder).rglob("*.py")}


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """Braces and asterisks are patterns of the shell's."""
    paths = PATH.findall(LINK.sub("]", page.read_text(encoding="utf-8")))
    assert [path for path in paths if not any(matches(each) for each in expanded(path))] == []


def matches(pattern: str) -> bool:
    return any(True for _ in ROOT.glob(pattern))


def expanded(path: str) -> list[str]:
    """A path with {a,b} as several, as a shell has it."""
    found = re.search(r"\{([^}]*)\}", path)
    if found is None:
        return [path]
    return [each for word in found[1].split(",") for each in expanded(path.replace(found[0], word, 1))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_module_that_a_page_names_by_its_file_exists(page: Path) -> None:
    modules = MODULE.findall(page.read_text(encoding="utf-8"))
    own = {"my_model.py", "own_job.py"}
    assert [module for module in modules if Path(module).name not in MODULE_NAMES | own] == []


@pytest.mark.parametrize("wing", WINGS, ids=str)
def test_the_architecture_names_every_wing_and_where_to_start(wing: Path) -> None:
    row = re.search(rf"^\| \[{wing}\]\(.*$", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row, f"{wing} is not in the table of wings"
    start = row[0].rpartition("](")[2].rstrip("|) ")
    assert Path(start).parent == wing


@pytest.mark.parametrize("wing", WINGS, ids=str)
def test_a_wing_has_a_docstring_of_a_few_lines_that_says_where_to_start(wing: Path) -> None:
    docstring = (ROOT / wing / "__init__.py").read_text(encoding="utf-8").split('"""')[1]
    assert 1 <= len(docstring.strip().splitlines()) <= 8
    named_files = re.findall(r"`(\w+\.py)`", docstring)
    assert [name for name in named_files if not (ROOT / wing / name).exists()] == []


@pytest.mark.parametrize("wing", WINGS, ids=str)
def test_a_wing_has_at_most_thirteen_modules(wing: Path) -> None:
    modules = [path for path in (ROOT / wing).glob("*.py") if path.name != "__init__.py"]
    assert 0 < len(modules) <= 13


def test_the_index_of_the_documents_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and page.name not in index] == []
