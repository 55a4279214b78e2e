"""Where things of this project are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
DATA = TESTS / "data"
GOLDEN = TESTS / "golden"
SUPPORT = TESTS / "support"
DOCS = ROOT / "docs"
SCRIPTS = ROOT / "scripts"
RECIPES = ROOT / "share" / "recipes"
