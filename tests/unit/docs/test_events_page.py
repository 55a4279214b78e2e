"""docs/events.md says what the declarations say, no less and no more."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from typing import get_args

import msgspec
import pytest

from tests.support.paths import ROOT
from virnucpro_bus import events
from virnucpro_bus.events import codec
from virnucpro_bus.events.render import as_json
from virnucpro_bus.hub.admission import OTHER_RUN, RESERVED

DOC = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
GOLDEN = bytes.fromhex((ROOT / "tests/golden/frames/file.completed.hex").read_text())

RECORDS: dict[str, type[msgspec.Struct]] = {
    "Device": events.Device,
    "PlannedFile": events.PlannedFile,
    "Origin": events.Origin,
    "Shard": events.Shard,
}
BODIES: dict[str, type[msgspec.Struct]] = {
    f"`{kind}` {body.__name__}": body for kind, body in events.KINDS.items()
}
SCALARS = {
    name: alias for name, alias in vars(events).items() if isinstance(getattr(alias, "__metadata__", None), tuple)
}


def section(title: str, level: str) -> str:
    """The text below one heading, up to the next heading of its level or above."""
    found = re.search(rf"^{level} {re.escape(title)}\n(.*?)(?=^#{{2,{len(level)}}} |\Z)", DOC, re.M | re.S)
    assert found, f"docs/events.md has no section {title}"
    return found[1]


def headings(title: str) -> list[str]:
    """The third-level headings within the chapter `title`."""
    return re.findall(r"^### (.*)$", section(title, "##"), re.M)


def table(text: str) -> list[list[str]]:
    """The body rows of the first table in `text`; code marks are taken off."""
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [
        [cell.strip().strip("`").replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows
    ]


def fenced(text: str, language: str) -> str:
    """The first fenced block of `language` in `text`."""
    found = re.search(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    assert found
    return found[1]


def declared(struct: type[msgspec.Struct]) -> list[list[str]]:
    """(field, type, default) as declared."""
    types = inspect.get_annotations(struct)
    rows = []
    for field in msgspec.structs.fields(struct):
        default = "" if field.required else repr(field.default).replace("'", '"')
        rows.append([field.name, types[field.name], default])
    return rows


def documented_range(metadata: msgspec.Meta) -> str | tuple[float | None, float | None]:
    if metadata.max_length is not None:
        return f"at most {metadata.max_length} characters"
    return (metadata.ge, metadata.le)


def test_the_chapter_of_kinds_names_each_kind_and_no_other() -> None:
    assert headings("Kinds") == list(BODIES)


def test_the_chapter_of_types_names_each_record_and_no_other() -> None:
    assert headings("Types") == list(RECORDS)


@pytest.mark.parametrize("title", [*RECORDS, *BODIES])
def test_the_table_has_the_declared_fields_with_type_and_default(title: str) -> None:
    written = table(section(title, "###"))
    assert [row[:3] for row in written] == declared((RECORDS | BODIES)[title])


@pytest.mark.parametrize("title", [*RECORDS, *BODIES])
def test_the_table_says_what_each_field_and_its_none_means(title: str) -> None:
    silent = [
        name
        for name, kind, _, meaning in table(section(title, "###"))
        if not meaning or ("None" in kind) != ("None:" in meaning)
    ]
    assert silent == []


@pytest.mark.parametrize("title", BODIES)
def test_each_kind_has_a_publisher(title: str) -> None:
    assert len(re.findall(r"\bPublished\s+by\b", section(title, "###"))) == 1


def test_the_envelope_table_has_the_elements_in_their_order() -> None:
    types = inspect.get_annotations(events.Envelope) | {"version": "int"}
    rows = [
        ["kind", "Name"],
        *([name, types[name]] for name in events.Envelope.__struct_fields__),
        ["event", "Fact"],
    ]
    assert [row[:3] for row in table(section("The envelope", "##"))] == [
        [str(position), *row] for position, row in enumerate(rows)
    ]


def test_the_type_table_has_the_declared_ranges() -> None:
    written = {}
    for name, wire, extent, _ in table(section("Types", "##").partition("###")[0]):
        numbers = re.fullmatch(r"(\S+) to (\S+)", extent)
        number = int if wire == "int" else float
        written[name] = (wire, (number(numbers[1]), number(numbers[2])) if numbers else extent)
    meant = {
        name: (get_args(alias)[0].__name__, documented_range(alias.__metadata__[0]))
        for name, alias in SCALARS.items()
    }
    assert written == meant | {"bool": ("bool", "")}


def test_the_dump_is_the_golden_frame() -> None:
    lines = fenced(section("Byte by byte", "##"), "text").splitlines()
    offset, dumped = 0, b""
    for line in lines:
        assert line[:2] in (f"{offset:02x}", "  ")
        dumped += bytes.fromhex(line[4:52])
        offset = len(dumped)
    assert dumped == GOLDEN
    assert f"frame of {len(GOLDEN)} bytes" in DOC


def test_the_json_of_the_page_is_that_of_the_golden_frame() -> None:
    assert json.loads(fenced(section("As JSON", "##"), "json")) == json.loads(as_json(codec.decode(GOLDEN)))


def test_the_example_without_this_package_prints_what_the_page_says() -> None:
    chapter = section("Reading it in another language", "##")
    code = fenced(chapter, "python")
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == fenced(chapter, "text")
    assert GOLDEN.hex() in re.sub(r'"\s+"', "", code)


def test_the_limits_are_those_of_the_codec() -> None:
    written = {name: int(value) for name, value, _ in table(section("Limits", "##"))}
    assert written == {
        name: value for name, value in vars(codec).items() if name.startswith("MAX_") and name != "MAX_COUNT"
    }


def test_the_reasons_of_refusal_on_the_bus_of_a_run_are_those_of_the_admission() -> None:
    rows = table(section("Refusals on the bus of a run", "##"))
    assert {row[0] for row in rows} == {RESERVED, OTHER_RUN}


def test_the_reasons_of_refusal_are_those_of_the_codec() -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(codec))) if isinstance(node, ast.Call)]
    raised = {ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "FrameError"}
    assert {row[0] for row in table(section("Refusals", "##"))} == raised
