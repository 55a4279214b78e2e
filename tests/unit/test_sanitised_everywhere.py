"""Whatever text an event holds, nothing of it drives a terminal or a spreadsheet, and nothing of it hides.

All code points, and strings that mean harm, go through every output but the picture of the dashboard.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import random
import re
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from monitor.doctor import Report, render
from monitor.lines import line
from monitor.metrics_log import COLUMNS, MetricsLog
from monitor.snapshot import Row, Snapshot
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.commands import _as_text as info_text
from virnucpro_bus.effect import unknown_effect
from virnucpro_bus.events import ENVELOPES, Envelope, FileFailed
from virnucpro_bus.info import CaptureInfo
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, Totals
from virnucpro_bus.tail import as_json, as_line
from virnucpro_bus.telling import paragraph
from virnucpro_bus.text import spreadsheet_safe, visible
from workers.companion import say

RANDOM_STRINGS = 100_000
# Not the backslash, with which the rest is written out, nor what the texts are found again by.
POINTS = "".join(chr(code) for code in range(sys.maxunicode + 1) if chr(code) != "\\")

HARM = (
    *("\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x1bP", "\r", "\n", "\t", "\x08", "\x7f", "\0", "\x85", "\u2028"),
    *("\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\ufe0f", "\u3164", "\u034f", "\U000e0041", "\udcff"),
    *(
        "=",
        "+",
        "-",
        "@",
        "＝",
        "＋",
        "－",
        "＠",
        '"',
        "'",
        ",",
        " ",
        "\u3000",
        "[red]",
        "{}",
        "%s",
        "é",
        "試",
        "🧬",
    ),
)


PIECES = 4
"""Of a string that means harm, at most."""
POINT_CHARACTERS, HARM_CHARACTERS = 10, PIECES * 16 + 1
"""That a code point and such a string take at most when they are written out."""


def harmful(count: int) -> list[str]:
    """Strings of what means harm, and of anything."""
    dice = random.Random(6)
    return [
        "".join(
            dice.choice(HARM) if dice.random() < 0.7 else dice.choice(POINTS)
            for _ in range(dice.randint(1, PIECES))
        )
        for _ in range(count)
    ]


def marked(texts: Sequence[str]) -> list[str]:
    """Each between words by which it is found again in what is printed."""
    return [f"BEGIN{text}_END_" for text in texts]


def code_points(characters: int) -> list[str]:
    """Each of them, in texts of at most so many characters when they are written out."""
    together = characters // POINT_CHARACTERS
    return [POINTS[first : first + together] for first in range(0, len(POINTS), together)]


def strings(characters: int) -> list[str]:
    """A hundred thousand that mean harm, in texts of at most so many characters when they are written out."""
    each, together = harmful(RANDOM_STRINGS), characters // HARM_CHARACTERS
    return ["|".join(each[first : first + together]) for first in range(0, len(each), together)]


TEXTS = {"all code points": code_points, "strings that mean harm": strings}


# What can be said of an output without knowing how it is made.

_MARKED = re.compile("BEGIN(.*?)_END_", re.DOTALL)
SPACES = {code: None for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) == "Zs"}
# Unicode's Default_Ignorable_Code_Point, as far as it has a character there.
IGNORABLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def written(code: int) -> str:
    """How a code point is to be seen: as it is, or written out; a byte that is not UTF-8 as that byte."""
    if (chr(code).isprintable() or code in SPACES) and not IGNORABLE.match(chr(code)):
        return chr(code)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


WRITTEN = tuple(map(written, range(sys.maxunicode + 1)))


def assert_harmless(output: str) -> None:
    """Nothing in it drives or hides, apart from the line ends."""
    assert all(WRITTEN[ord(character)] == character for character in set(output) - {"\n"})
    output.encode()


def seen(text: str) -> str:
    return "".join(map(WRITTEN.__getitem__, map(ord, text)))


def assert_all_is_seen(output: str, texts: Sequence[str]) -> None:
    """Each text is there, every character of it as it is or written out; also by JSON, where it is quoted."""
    for found, text in zip(_MARKED.findall(output), texts, strict=True):
        assert found == seen(text) or found == seen(json.dumps(text, ensure_ascii=False)[1:-1])


# The outputs: what each prints of some texts.

TOTALS: Totals = {
    "files_total": None,
    "files_completed": 0,
    "files_failed": 0,
    "sequences": 0,
    "steals": 0,
    "events_published": 0,
    "events_received": 0,
    "events_lost": 0,
}
METRICS: GpuMetrics = {
    "device_id": 0,
    "device_name": "",
    "queue_depth": None,
    "files_completed": 0,
    "work_stolen_from": 0,
    "work_stolen_to": 0,
    "throughput": None,
    "last_update_time": None,
    "uuid": None,
    "host": "",
    "sequences": 0,
    "files_failed": 0,
    "state": "idle",
    "current_file": None,
}
EMPTY_INFO: CaptureInfo = {
    "path": "",
    "size_bytes": 0,
    "runs": [],
    "hosts": [],
    "devices": [],
    "started_ns": None,
    "duration_seconds": 0.0,
    "events": 0,
    "events_by_kind": {},
    "refused_frames": 0,
    "damaged_places": 0,
    "skipped_bytes": 0,
    "holes": 0,
    "unrecorded_frames": 0,
}


def failure(reason: str) -> Envelope:
    return ENVELOPES[FileFailed](
        1, "run", "host", "source", 0, 1, 0, 0, FileFailed("cpu:0", "a.fa", 0, reason, 0.0)
    )


def tail_lines(texts: Sequence[str]) -> str:
    return "\n".join(as_line(failure(text)) for text in texts)


def line_mode(texts: Sequence[str]) -> str:
    """Three problems a line; of the devices, what fits."""
    return "\n".join(
        line(Snapshot((), TOTALS, (), 0, health=tuple(texts[first : first + 3])))
        for first in range(0, len(texts), 3)
    )


def info(texts: Sequence[str]) -> str:
    third = len(texts) // 3
    return info_text(
        {
            **EMPTY_INFO,
            "runs": list(texts[:third]),
            "hosts": list(texts[third : 2 * third]),
            "devices": list(texts[2 * third :]),
        }
    )


def effect(texts: Sequence[str]) -> str:
    # Their numbers keep those apart that are alike.
    devices = {f"{number}{text}": 0.0 for number, text in enumerate(texts)}
    return paragraph({**unknown_effect(), "idle_seconds": devices})


def effect_steals(texts: Sequence[str]) -> str:
    told = unknown_effect()
    told["steals"] = [
        {"timestamp": 0.0, "host": "", "source_gpu": a, "dest_gpu": b, "file_name": c, "saved_seconds": None}
        for b, a, c in zip(texts[0:60:3], texts[1:60:3], texts[2:60:3], strict=True)
    ]
    return paragraph(told)


def doctor(texts: Sequence[str]) -> str:
    half = len(texts) // 2 * 2
    report: Report = {
        "versions": {},
        "gpu_backend": None,
        "devices": [
            {
                "index": None,
                "name": name,
                "uuid": uuid,
                "memory_used_bytes": None,
                "memory_total_bytes": None,
                "lost": False,
                "mig_of": None,
            }
            for name, uuid in zip(texts[0:half:2], texts[1:half:2], strict=True)
        ],
        "environment": dict(enumerate(texts[half:])),  # type: ignore[arg-type]
        "cpus": None,
        "cpus_usable": 1,
        "socket_folder": None,
        "problems": [],
    }
    return render(report)


def said(texts: Sequence[str]) -> str:
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        for text in texts:
            say(text)
    return stderr.getvalue()


# With how many characters of a text it does not cut off.
OUTPUTS: dict[str, tuple[Callable[[Sequence[str]], str], int]] = {
    "tail": (tail_lines, 270),
    "line mode": (line_mode, 140),
    "info": (info, 10_000),
    "effect": (effect, 10_000),
    "doctor": (doctor, 10_000),
    "stderr": (said, 10_000),
}


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(("printed", "characters"), OUTPUTS.values(), ids=OUTPUTS)
def test_what_is_printed_is_harmless_and_shows_everything(
    printed: Callable[[Sequence[str]], str], characters: int, texts: Callable[[int], list[str]]
) -> None:
    given = texts(characters)
    output = printed(marked(given))
    assert_harmless(output)
    assert_all_is_seen(output, given)


def test_the_names_in_a_steal_are_harmless_and_whole() -> None:
    """Only twenty steals are told, so these are some that mean harm."""
    given = harmful(60)
    output = effect_steals(marked(given))
    assert_harmless(output)
    assert_all_is_seen(output, given)


def test_problems_that_doctor_wraps_are_harmless() -> None:
    for first in range(0, len(POINTS), 5_000):
        report = {"versions": {}, "gpu_backend": None, "devices": [], "environment": {}, "cpus": None}
        report |= {"cpus_usable": 1, "socket_folder": None, "problems": [POINTS[first : first + 5_000]]}
        assert_harmless(render(report))  # type: ignore[arg-type]


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_json_is_plain_ascii_on_one_line_and_gives_back_what_went_in(texts: Callable[[int], list[str]]) -> None:
    for text in texts(10_000):
        written = as_json(failure(text))
        assert written.isascii()
        assert written.isprintable()
        back = json.loads(written)["event"]["reason"]
        assert back.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


# Spreadsheets.

NAMED = ("host", "uuid", "device_name", "current_file")


def log_of(path: Path, texts: Sequence[str]) -> list[str]:
    """What a metrics log holds of the texts, four a row, read back."""
    rows: list[Row] = [
        ({**METRICS, **dict(zip(NAMED, texts[first : first + 4], strict=False))}, UNKNOWN_UTILIZATION)  # type: ignore[typeddict-item]
        for first in range(0, len(texts), 4)
    ]
    MetricsLog(path, ManualClock()).write(rows)
    content = path.read_bytes().decode()
    assert_harmless(content.replace("\r\n", "\n"))
    places = [COLUMNS.index(name) for name in NAMED]
    _, *found = csv.reader(io.StringIO(content, newline=""), strict=True)
    assert len(found) == len(rows)
    return [cells[place] for cells in found for place in places][: len(texts)]


SIGNS = {point for point in POINTS if unicodedata.normalize("NFKC", point)[0] in "=+-@"}
STARTS = SIGNS.union(map(chr, range(32)))
PASSED_OVER = '"' + "".join(map(chr, SPACES))


def starts_a_formula(cell: str) -> bool:
    """Whether any program could take it for one: those that trim it, and those that split it at semicolons."""
    firsts = {part.lstrip(PASSED_OVER)[:1] for part in cell.split(";")}
    return not firsts.isdisjoint(STARTS)


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_the_metrics_log_is_harmless_and_holds_everything(
    tmp_path: Path, texts: Callable[[int], list[str]]
) -> None:
    given = texts(1_000)
    cells = log_of(tmp_path / "log.csv", marked(given))
    assert_all_is_seen("\n".join(cells), given)


def test_no_string_that_means_harm_starts_a_formula_in_a_metrics_log(tmp_path: Path) -> None:
    dice = random.Random(7)
    given = [f"{dice.choice(['', '', 'a;', '; '])}{text}" for text in harmful(RANDOM_STRINGS)]
    assert sum(map(starts_a_formula, given)) > RANDOM_STRINGS / 10
    assert not any(map(starts_a_formula, log_of(tmp_path / "log.csv", given)))


def test_no_code_point_starts_a_formula() -> None:
    passed = set(visible(POINTS))
    assert passed > SIGNS
    assert not any(starts_a_formula(spreadsheet_safe(point)) for point in passed)


@pytest.mark.parametrize("before", ["", " ", '"', "\u3000\xa0", 'a;" '])
def test_no_sign_starts_a_formula_whatever_is_before_it(before: str) -> None:
    for sign in SIGNS:
        assert starts_a_formula(f"{before}{sign}1")
        assert not starts_a_formula(spreadsheet_safe(visible(f"{before}{sign}1")))
