"""Packages of other people, installed as far as `importlib.metadata` can see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install_package(
    site: Path, name: str, source: str, entry_points: Mapping[str, Mapping[str, str]], version: str = "1.0"
) -> None:
    """Install a package of one module into the folder `site`, with its entry points by group and name."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [
        line
        for group, points in entry_points.items()
        for line in (f"[{group}]", *(f"{point} = {place}" for point, place in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (site / f"{name}.py").write_text(source)
