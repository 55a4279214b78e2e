"""The sections for MultiQC: what they contain, and that a page of the real MultiQC shows texts as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.captures import frames_of, write_capture
from tests.support.chromium import Chromium
from tests.support.harmful_texts import harmful
from tests.support.paths import DATA
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.exporters import RowOptions
from virnucpro_bus.sources.recording import read_recording
from virnucpro_bus.tables.multiqc import export_multiqc
from virnucpro_bus.testing import Script

SIMULATED = DATA / "captures" / "simulated" / "run.vbus"
HARM = [
    "<img src=x onerror=\"document.title='pwned'\">",
    "</script><script>document.title='pwned'</script>",
    "{{7*7}}",
]


def exported(*paths: Path) -> dict[str, dict[str, Any]]:
    recordings = [read_recording(path, ManualClock()) for path in paths]
    return {name: json.loads(b"".join(content)) for name, content in export_multiqc(recordings, RowOptions())}


def runs_called(folder: Path, texts: list[str]) -> list[Path]:
    paths = [folder / f"{at}.vbus" for at in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        write_capture(path, frames_of(text))
    return paths


def test_a_run_has_three_sections_with_its_figures() -> None:
    general, devices, effect = exported(SIMULATED).values()
    fleet = read_recording(SIMULATED, ManualClock()).fleet
    (figures,) = general["data"].values()
    assert figures["virnucpro_files"] == fleet.get_totals()["files_completed"]
    assert figures["virnucpro_saved"] == fleet.get_effect()["saved_seconds"]
    assert (figures["virnucpro_saved_least"], figures["virnucpro_saved_most"]) == fleet.get_effect()["saved_range"]
    assert list(devices["data"]) == [f"run-33ecb7bc gpu-node-1 sim:{at}" for at in range(3)]
    assert set(effect["data"]["run-33ecb7bc"]) == set(effect["categories"]) == {"without", "recorded", "bound"}


def test_what_is_unknown_is_missing(tmp_path: Path) -> None:
    write_capture(tmp_path / "run.vbus", frames_of("run")[:2])
    general, _, effect = exported(tmp_path / "run.vbus").values()
    assert list(general["data"].values()) == [{"virnucpro_files": 0, "virnucpro_failed": 0}]
    assert list(effect["data"].values()) == [{}]


def test_devices_of_one_key_on_two_hosts_have_their_own_times(tmp_path: Path) -> None:
    device, frames = Device("sim:0", "simulated GPU", 0), list[bytes]()
    for host, seconds in (("a", 2.0), ("b", 5.0)):
        script = Script(host=host)
        script.say("coordinator", ev.RunStarted("job", "off", (device,), 1))
        script.say("coordinator", ev.FilesAssigned("sim:0", (ev.PlannedFile("x.fa", 1, 1),)))
        script.say("worker-0", ev.FileCompleted("sim:0", "x.fa", 1, 1, seconds), after_seconds=seconds)
        script.say("coordinator", ev.RunFinished(0, 1, 0))
        frames += script.frames()
    write_capture(tmp_path / "run.vbus", frames)
    _, devices, _ = exported(tmp_path / "run.vbus").values()
    assert [row["busy"] for row in devices["data"].values()] == [2.0, 5.0]


def test_names_of_files_are_plain_and_differ_whatever_runs_are_called(tmp_path: Path) -> None:
    texts = ["../../x", ".x", "x", "x" * 256, "試"]
    texts += [text.encode(errors="replace").decode() for text in harmful(50)]
    names = list(exported(*runs_called(tmp_path, texts)))
    assert len(set(names)) == 3 * len(texts)
    assert all(name.isascii() and "/" not in name and name[0].isalnum() for name in names)
    assert max(map(len, names)) < 150


def test_a_page_of_the_real_multiqc_has_every_run_and_shows_harmful_texts_as_they_are(tmp_path: Path) -> None:
    multiqc = shutil.which("multiqc")
    if multiqc is None:
        pytest.skip("multiqc is not installed: pip install multiqc")
    (tmp_path / "in").mkdir()
    for name, content in exported(SIMULATED, *runs_called(tmp_path, [*HARM, "a/same.bam", "b/same.bam"])).items():
        (tmp_path / "in" / name).write_text(json.dumps(content))
    made = subprocess.run(
        [multiqc, "--no-version-check", "-o", str(tmp_path), str(tmp_path / "in")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "HOME": str(tmp_path), "NO_COLOR": "1"},
    )
    assert "virnucpro_bus_devices: Found 8 samples" in made.stderr
    with Chromium(tmp_path) as browser:
        page = browser.open((tmp_path / "multiqc_report.html").as_uri())
        text = page.text()
        assert "Did stealing help?" in text
        for name in ["run-33ecb7bc", *HARM, "a/same.bam", "b/same.bam"]:
            assert name in text
        assert page.evaluate("document.title") == "MultiQC Report"
        assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
