"""Generated histories of a bus: runs on several hosts as its hub has recorded them, and ways to come to know them.

    from tests.support.histories import History, histories, joined_late, replayed, seen_live, stood_still

Hosts restart, their clocks are off and are set, launchers and workers are killed, and runs are resumed; events are
late, lost and repeated.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from tests.support.runs import ACTIONS, DEVICES, MadeRun
from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, Record, RecordScanner, pack_record
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.codec import decode, encode
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.recorded_clock import RecordedClock
from virnucpro_bus.history.server import IncrementalFold
from virnucpro_bus.snapshot.format import unpack
from virnucpro_bus.sources.playback import fold_capture

BEGAN_NS = 1_750_000_000 * NANOSECONDS
"""The hub's time at the beginning."""
CLOCKS_ARE_OFF = [0, -3600, 86_400, 30]
"""By how many seconds the wall clocks of hosts are ahead."""
LATEST_NS = 3 * NANOSECONDS
"""How late an event is received at most."""
SHARES = st.floats(0, 1)


@dataclass
class History:
    """What a hub has recorded, and the moment at which it is looked at."""

    records: list[Record]
    now_ns: int
    """The hub's time at that moment."""
    is_broken_off: bool
    """Whether the hub has died by then."""

    def viewer(self) -> ManualClock:
        """The clock of a viewer on another machine, whose wall clock agrees with the hub's."""
        return ManualClock(self.now_ns, self.now_ns - BEGAN_NS + 77 * NANOSECONDS)

    def fleet(self, records: Iterable[Record] = ()) -> FleetState:
        """The fleet of a viewer that has read these records."""
        fleet = FleetState(self.viewer())
        fleet.receipt_clock = RecordedClock(self.viewer())
        fleet.receipt_clock.observe(self.now_ns)
        read(fleet, records)
        return fleet

    def ended(self, fleet: FleetState) -> FleetState:
        """The fleet when it is known whether the hub has died."""
        if self.is_broken_off:
            fleet.break_off()
        return fleet


def read(fleet: FleetState, records: Iterable[Record]) -> None:
    """Feed records with the times at which they were received."""
    chosen = list(records)
    fleet.feed([record.frame for record in chosen], [record.received_ns for record in chosen])


def seen_live(history: History) -> FleetState:
    """What a viewer knows that was there all the time."""
    fleet, clock = FleetState(history.viewer()), history.viewer()
    for record in history.records:
        fleet.feed([record.frame], clock.mono_ns() - (history.now_ns - record.received_ns))
    return history.ended(fleet)


def joined_late(history: History, first: float, second: float) -> FleetState:
    """What a viewer knows that took over a snapshot of the `first` share, and read the capture from there."""
    records = [pack_record(each.frame, each.received_ns) for each in history.records]
    data = HEADER.pack(MAGIC, VERSION, 0) + b"".join(records)
    covered = int(first * len(data))
    fold = IncrementalFold(lambda offset, limit: data[offset : min(covered, offset + limit)], history.viewer())
    while fold.advance(1 + int(second * 10_000)):
        pass
    offset, snapshot = fold.snapshot()
    fleet = history.fleet()
    fleet.load(unpack(snapshot))
    read(fleet, RecordScanner().feed(data[offset:]))
    return history.ended(fleet)


def stood_still(history: History, first: float, second: float) -> FleetState:
    """What a viewer knows that was stopped between two shares: it reads what came then, then what it missed."""
    # It has joined when every host was known, whatever was lost of it, and read all that was recorded by then.
    began = sum(record.received_ns <= BEGAN_NS + LATEST_NS for record in history.records)
    hosts = [decode(record.frame).host for record in history.records]
    known = max([began, *(hosts.index(host) + 1 for host in set(hosts))])
    stopped, continued = (max(known, int(share * len(history.records))) for share in sorted((first, second)))
    fleet = history.fleet(history.records[:stopped])
    read(fleet, history.records[continued:])
    read(fleet, history.records[stopped:])
    return history.ended(fleet)


def replayed(history: History) -> FleetState:
    """What the capture says, to which no hub can add any more."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.vbus"
        with path.open("wb") as file:
            file.write(HEADER.pack(MAGIC, VERSION, 0))
            file.writelines(pack_record(each.frame, each.received_ns) for each in history.records)
        return fold_capture(path, ManualClock())


@st.composite
def histories(draw: st.DrawFn, *, most_reboots: int = 3, clocks_are_set: bool = True) -> History:
    """Histories of up to three hosts. `most_reboots` is for each."""
    runs, published = [], []
    for number in range(draw(st.integers(1, 3))):
        ahead_ns = draw(st.sampled_from(CLOCKS_ARE_OFF)) * NANOSECONDS
        clock = ManualClock(BEGAN_NS + ahead_ns, (1 + 5 * number) * 1_000 * NANOSECONDS)
        runs.append(MadeRun(draw(st.integers(0, 9)), f"node{number}", clock))
    now_ns = BEGAN_NS
    published += [(now_ns, envelope) for run in runs for envelope in run.script.envelopes]
    counted, reboots = [len(run.script.envelopes) for run in runs], [0] * len(runs)
    kinds = [*ACTIONS, *ACTIONS, "resume", "reboot", "finish", *["set the clock"] * clocks_are_set]
    pauses = st.sampled_from([0.25, 1.0, 7.0, 100.0])
    steps = st.tuples(st.integers(0, len(runs) - 1), st.integers(0, len(DEVICES)), st.sampled_from(kinds), pauses)
    length = draw(st.sampled_from([5, 20, 50]))
    for host, at, kind, pause in draw(st.lists(steps, min_size=length, max_size=length)):
        # A machine is down for a while before it is up.
        uptime = draw(st.sampled_from([20.0, 300.0, 50_000.0])) if kind == "reboot" else 0.0
        now_ns += round((uptime + pause) * NANOSECONDS)
        for run in runs:
            run.script.clock.advance(uptime + pause)
        run = runs[host]
        match kind:
            case "resume" | "finish":
                getattr(run, kind)()
            case "reboot" if reboots[host] < most_reboots:
                reboots[host] += 1
                run.reboot(uptime)
            case "set the clock":
                run.script.clock.wall += draw(st.sampled_from([-600, -3, 3, 600])) * NANOSECONDS
            case _ if kind in ACTIONS:
                run.act(kind, at)
        for number, each in enumerate(runs):
            new = each.script.envelopes[counted[number] :]
            counted[number] += len(new)
            published += [(now_ns, envelope) for envelope in new]
    records = []
    for at_ns, envelope in published:
        fate = draw(st.sampled_from(["", "", "", "", "", "late", "lost", "twice"]))
        delay_ns = draw(st.sampled_from([100_000_000, LATEST_NS])) if fate == "late" else 0
        if fate != "lost":
            records += [Record(at_ns + delay_ns, encode(envelope))] * (2 if fate == "twice" else 1)
    records.sort(key=lambda record: record.received_ns)
    # A replay ends with the last record.
    now_ns = records[-1].received_ns if records else BEGAN_NS
    return History(records, now_ns, draw(st.booleans()))
