"""An export format of another package: a short table with tabs, for a laboratory notebook.

To install it beside virnucpro-bus, and to use it:

    pip install scripts/examples/tsv_exporter
    virnucpro-bus export RUN --format tsv --sort -duration_seconds --top 20
"""

from collections.abc import Iterator, Sequence

from virnucpro_bus.exporters import Document, Exporter, RowOptions
from virnucpro_bus.sources.recording import Recording
from virnucpro_bus.tables.rows import rows_of
from virnucpro_bus.text import spreadsheet_safe, visible
from virnucpro_bus.units import duration


def export_tsv(recordings: Sequence[Recording], options: RowOptions) -> Iterator[Document]:
    yield Document("", lines(recordings, options))


def lines(recordings: Sequence[Recording], options: RowOptions) -> Iterator[bytes]:
    yield b"file\tdevice\tstarted\ttook\n"
    for row in rows_of(recordings, options):
        started = row["started"] or "n/a"
        # Names come from outside: `visible` leaves no tab and no line end in them.
        names = [spreadsheet_safe(visible(name)) for name in (row["file"], row["device"])]
        yield "\t".join([*names, started, duration(row["duration_seconds"])]).encode() + b"\n"


TSV = Exporter("file, device, start and duration with tabs between", export_tsv, is_table=True)
