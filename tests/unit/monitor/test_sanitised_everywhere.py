"""Whatever text an event holds, nothing of it drives a terminal or a spreadsheet, and nothing of it hides.

Code points of every kind, and strings that mean harm, go through every output but the picture of the dashboard.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Sequence

import pytest

from monitor.cli.doctor import Report, render
from monitor.model.view_model import ViewModel
from monitor.view.plain_line import line
from tests.support.harmful_texts import TEXTS, assert_all_is_seen, assert_harmless, harmful, marked, points
from virnucpro_bus.capture.info import CaptureInfo
from virnucpro_bus.cli.info import _as_text as info_text
from virnucpro_bus.effect.combine import unknown_effect
from virnucpro_bus.effect_text import report_paragraph
from virnucpro_bus.events.envelope import ENVELOPES, Envelope
from virnucpro_bus.events.render import as_json, as_line
from virnucpro_bus.events.vocabulary import FileFailed
from virnucpro_bus.health.rows import DeviceWork, RunTotals
from virnucpro_bus.system.console import say

# The outputs: what each prints of some texts.

TOTALS: RunTotals = {
    "files_total": None,
    "files_completed": 0,
    "files_failed": 0,
    "sequences": 0,
    "steals": 0,
    "events_published": 0,
    "events_received": 0,
    "events_lost": 0,
}
METRICS: DeviceWork = {
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
    "seconds_since_done": None,
    "current_file_percent": None,
    "loading_seconds": None,
    "key": None,
    "gpus": None,
    "cpu_percent": None,
    "resident_bytes": None,
    "worker": None,
    "read_bytes_per_second": None,
}
EMPTY_INFO: CaptureInfo = {
    "path": "",
    "size_bytes": 0,
    "runs": [],
    "hosts": [],
    "devices": [],
    "simulated": False,
    "started_ns": None,
    "duration_seconds": 0.0,
    "ending": None,
    "events": 0,
    "events_by_kind": {},
    "refused_frames": 0,
    "damaged_places": 0,
    "skipped_bytes": 0,
    "holes": 0,
    "unrecorded_frames": 0,
    "shard": None,
}


def failure(reason: str) -> Envelope:
    return ENVELOPES[FileFailed](
        1, "run", "host", "source", 0, 1, 0, 0, FileFailed("cpu:0", "a.fa", 0, reason, 0.0)
    )


def tail_lines(texts: Sequence[str]) -> str:
    return "\n".join(as_line(failure(text)) for text in texts)


def line_mode(texts: Sequence[str]) -> str:
    """Three notices a line; of the devices, what fits."""
    return "\n".join(
        line(ViewModel((), TOTALS, (), 0, news=tuple(texts[first : first + 3])))
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
    return report_paragraph({**unknown_effect(), "idle_seconds": devices})


def effect_steals(texts: Sequence[str]) -> str:
    told = unknown_effect()
    told["steals"] = [
        {
            "timestamp": 0.0,
            "host": "",
            "source_gpu": a,
            "dest_gpu": b,
            "file_name": c,
            "saved_seconds": None,
            "saved_range": None,
        }
        for b, a, c in zip(texts[0:60:3], texts[1:60:3], texts[2:60:3], strict=True)
    ]
    return report_paragraph(told)


def doctor(texts: Sequence[str]) -> str:
    half = len(texts) // 2 * 2
    report: Report = {
        "versions": {},
        "gpu_backend": None,
        "has_nvidia_gpu": None,
        "devices": [
            {
                "index": None,
                "name": name,
                "uuid": uuid,
                "memory_used_bytes": None,
                "memory_total_bytes": None,
                "lost": False,
                "mig_of": None,
                "divided": False,
            }
            for name, uuid in zip(texts[0:half:2], texts[1:half:2], strict=True)
        ],
        "environment": dict(enumerate(texts[half:])),  # type: ignore[arg-type]
        "cpus": None,
        "cpus_usable": 1,
        "cpus_limit": None,
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
    for first in range(0, len(points()), 5_000):
        report: Report = {
            "versions": {},
            "gpu_backend": None,
            "has_nvidia_gpu": None,
            "devices": [],
            "environment": {},
            "cpus": None,
            "cpus_usable": 1,
            "cpus_limit": None,
            "socket_folder": None,
            "problems": [points()[first : first + 5_000]],
        }
        assert_harmless(render(report))


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_json_is_plain_ascii_on_one_line_and_gives_back_what_went_in(texts: Callable[[int], list[str]]) -> None:
    for text in texts(10_000):
        written = as_json(failure(text))
        assert written.isascii()
        assert written.isprintable()
        back = json.loads(written)["event"]["reason"]
        assert back.encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")
