"""Runs the benchmarks; prints a table, then one line of JSON. Ratios are of one run, figures are medians.

BENCH_MILLIONS=N in the environment: so many millions of events or frames in `memory` and `hostile`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
NAMES = [
    *("publish", "faults", "ingest", "hub", "attach", "handout", "capture", "replay"),
    *("latency", "memory", "hostile", "makespan", "effect", "screen"),
]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON there too")
    options = parser.parse_args()
    unknown = set(options.names) - set(NAMES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
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
    main()
