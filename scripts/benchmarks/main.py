"""Run benchmarks; print a table, then one line of JSON. Figures are medians, ratios are taken within one run.

The environment variable BENCH_MILLIONS=N sets the millions of events or frames in `memory` and `hostile`,
BENCH_FILES=N the most files in `growth` and `inputs` (default: 100,000). `side` runs the other programs that are
installed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
NAMES = [
    *("publish", "faults", "ingest", "hub", "attach", "handout", "capture", "replay"),
    *("gap", "start", "tiny", "growth", "inputs", "side"),
    *("latency", "memory", "hostile", "makespan", "shapes", "engines", "effect", "screen", "outputs", "embed"),
]


def main() -> None:
    """Run the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON to this file as well")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown benchmark: {', '.join(sorted(unknown))}")
    figures: dict[str, list[dict[str, object]]] = {}
    for name in options.names or NAMES:
        print(f"\n{name}", flush=True)
        rows = importlib.import_module(f"bench_{name}").measure()
        for row in rows:
            goal = f"   goal {row['goal']}" if row.get("goal") else ""
            print(f"  {row['what']:<64} {row['value']:>12,.3f} {row['unit']}{goal}", flush=True)
        figures[name] = rows
    print("\n" + json.dumps(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # `virnucpro-bus ls` lists no runs of benchmarks
        # An installed program has cached bytecode: without it, each process would compile all of it.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        main()
