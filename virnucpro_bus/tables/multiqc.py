"""Recorded runs as sections of a MultiQC page: "custom content", which MultiQC finds by the ends of file names.

MultiQC puts texts into its page as they are, so they are escaped here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from virnucpro_bus.device_keys import device_title
from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.tables.rows import run_names
from virnucpro_bus.text import visible

NAME_CHARACTERS = 100
"""The most characters of a run's name in the name of a file."""
_PARENT = {
    "parent_id": "virnucpro_bus",
    "parent_name": "virnucpro-bus",
    "parent_description": "How the load of a multi-GPU file run was spread, and whether work stealing helped.",
}
_COUNT = {"format": "{:,.0f}", "min": 0}
_SIGNED_SECONDS = {"format": "{:,.1f}", "suffix": " s"}
_SECONDS = {**_SIGNED_SECONDS, "min": 0}
_NUMERIC = {character: f"&#{ord(character)};" for character in "<>&\"'/."}
"""As numbers, because the library that draws the bars does not know all names of characters."""
_Rows = dict[str, dict[str, Any]]


def export_multiqc(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    """Make three files of each run."""
    used: set[str] = set()
    for recording, names in zip(recordings, run_names(recordings), strict=True):
        run = ", ".join(sorted(set(names.values()))) or str(recording.path)
        label, prefix = _safe(run), _file_name(run, used)
        for kind, content in (
            ("general", _general(label, recording)),
            ("devices", _devices(label, recording)),
            ("effect", _effect(label, recording)),
        ):
            yield Document(f"{prefix}_{kind}_mqc.json", [json.dumps(content, indent=1).encode() + b"\n"])


MULTIQC = Exporter("sections for a MultiQC page", export_multiqc, makes_folder=True)


def _general(label: str, recording: Recording) -> dict[str, Any]:
    totals, effect = recording.fleet.get_totals(), recording.fleet.get_effect()
    least, most = effect["saved_range"] or (None, None)
    return {
        "id": "virnucpro_bus_general",
        "plot_type": "generalstats",
        "headers": {
            "virnucpro_files": {"title": "Files", "description": "Completed files", **_COUNT},
            "virnucpro_failed": {"title": "Failed", "description": "Failed files", "scale": "Reds", **_COUNT},
            "virnucpro_took": {
                "title": "Took",
                "description": "From the first file's start to the last file's end",
                **_SECONDS,
            },
            "virnucpro_saved": {
                "title": "Saved",
                "description": "Estimated time saved by work stealing; negative: lost",
                **_SIGNED_SECONDS,
            },
            "virnucpro_saved_least": {
                "title": "Saved at least",
                "description": "The least that was likely saved",
                **_SIGNED_SECONDS,
            },
            "virnucpro_saved_most": {
                "title": "Saved at most",
                "description": "The most that was likely saved",
                **_SIGNED_SECONDS,
            },
        },
        "data": {
            label: _known(
                virnucpro_files=totals["files_completed"],
                virnucpro_failed=totals["files_failed"],
                virnucpro_took=effect["makespan_seconds"],
                virnucpro_saved=effect["saved_seconds"],
                virnucpro_saved_least=least,
                virnucpro_saved_most=most,
            )
        },
    }


def _devices(label: str, recording: Recording) -> dict[str, Any]:
    effects = recording.fleet.effects_by_host()
    rows: _Rows = {}
    for device in recording.fleet.get_gpu_metrics():
        effect, key = effects[device["host"]], device["key"]
        rows[f"{label} {_safe(device['host'])} {_safe(device_title(device['device_id']))}"] = _known(
            model=_safe(device["device_name"]) or None,
            files=device["files_completed"],
            failed=device["files_failed"],
            sequences=device["sequences"],
            stolen=device["work_stolen_to"],
            lost=device["work_stolen_from"],
            busy=effect["busy_seconds"].get(key),
            idle=effect["idle_seconds"].get(key),
            loading=effect["loading_seconds"].get(key),
        )
    return {
        **_PARENT,
        "id": "virnucpro_bus_devices",
        "section_name": "Devices",
        "description": "What each device did.",
        "plot_type": "table",
        "pconfig": {
            "id": "virnucpro_bus_devices_table",
            "title": "virnucpro-bus: devices",
            "col1_header": "Device",
        },
        "headers": {
            "model": {"title": "Model"},
            "files": {"title": "Files", **_COUNT},
            "failed": {"title": "Failed", "scale": "Reds", **_COUNT},
            "sequences": {"title": "Sequences", **_COUNT},
            "stolen": {"title": "Taken", "description": "Files that it took from other queues", **_COUNT},
            "lost": {"title": "Given", "description": "Files that others took from its queue", **_COUNT},
            "busy": {"title": "Busy", "description": "Time with a file in progress", **_SECONDS},
            "idle": {"title": "Idle", "description": "Time without one", **_SECONDS},
            "loading": {"title": "Loading", "description": "Time in which its workers loaded the job", **_SECONDS},
        },
        "data": rows,
    }


def _effect(label: str, recording: Recording) -> dict[str, Any]:
    effect = recording.fleet.get_effect()
    bars = {
        "without": effect["makespan_without_stealing_seconds"],
        "recorded": effect["makespan_expected_seconds"],
        "bound": effect["lower_bound_seconds"],
    }
    return {
        **_PARENT,
        "id": "virnucpro_bus_effect",
        "section_name": "Did stealing help?",
        "description": "How long the run took and would have taken without stealing, and the lower bound. "
        "virnucpro-bus effect prints the ranges of the estimates.",
        "plot_type": "bargraph",
        "pconfig": {
            "id": "virnucpro_bus_effect_plot",
            "title": "virnucpro-bus: duration of the run",
            "ylab": "Seconds",
            "stacking": "group",
            "cpswitch": False,
        },
        "categories": {
            "without": {"name": "without stealing (estimated)", "color": "#b0b0b0"},
            "recorded": {"name": "with stealing", "color": "#2b6cb0"},
            "bound": {"name": "lower bound (estimated)", "color": "#2f855a"},
        },
        "data": {label: _known(**bars)},
    }


def _known(**figures: Any) -> dict[str, Any]:
    """What is known of the figures: MultiQC shows nothing where a figure is missing."""
    return {name: value for name, value in figures.items() if value is not None}


def _safe(text: str) -> str:
    """Escape a text for a page. MultiQC also cuts names at slashes and at some endings, which would merge runs."""
    return "".join(_NUMERIC.get(character, character) for character in visible(text))


def _file_name(run: str, used: set[str]) -> str:
    """Return a name for the files of a run that no other run has."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", run).strip("._-")[-NAME_CHARACTERS:] or "run"
    number = 1
    while (unique := name if number == 1 else f"{name}_{number}") in used:
        number += 1
    used.add(unique)
    return unique
