"""The messages between launcher and worker, and the worker's end against a real ROUTER."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import ChannelError
from workers.process import channel as worker_end
from workers.process.channel import Channel
from workers.protocol import (
    Answer,
    Refusal,
    Request,
    Settled,
    Task,
    Unable,
    WorkerConfig,
    decode_answer,
    decode_request,
    encode_answer,
    to_bytes,
    to_path,
)

ANSWER_MS = 10_000
texts = st.text(st.characters(codec="utf-8"), max_size=30)
# What a file may be called, as Python spells names that are not UTF-8.
names = st.binary(min_size=1, max_size=30).filter(lambda raw: not set(raw) & set(b"/\0")).map(os.fsdecode)
frames = st.binary(max_size=30)
refusals = st.lists(st.none() | st.builds(Refusal, texts), max_size=3).map(tuple)
settlements = st.lists(st.builds(Settled, frames), max_size=3).map(tuple)
unables = st.none() | st.builds(Unable, texts)
tasks = st.builds(
    Task, texts, st.binary(max_size=30), st.binary(max_size=30), st.integers(1, 9), st.none() | texts, st.just(0)
)


def config_for(address: str) -> WorkerConfig:
    return WorkerConfig(
        slot=3,
        token="secret",
        channel=address,
        publish="ipc:///nowhere",
        run="run-1",
        host="node",
        source="worker-3",
        epoch=2,
        device_key="cpu:3",
        device_name="CPU",
        device_index=3,
        job="sixframe",
        options={},
    )


# --- messages


@given(
    st.builds(
        Request,
        texts,
        st.integers(0, 99),
        st.integers(0, 99),
        st.integers(1, 99),
        settlements,
        unables,
    )
)
def test_a_request_arrives_as_it_was_sent(request: Request) -> None:
    assert decode_request(msgspec.msgpack.encode(request)) == request


@given(st.builds(Answer, st.integers(1, 99), st.none() | st.lists(tasks, max_size=3).map(tuple), refusals))
def test_an_answer_arrives_as_it_was_sent(answer: Answer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize("decoder", [decode_request, decode_answer])
@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xc1",
        b"\x90",
        msgspec.msgpack.encode("hello"),
        msgspec.msgpack.encode(["secret", "three", 2, 1]),
        msgspec.msgpack.encode(["secret", 3, 2, 1, ["gone"]]),
        b"\x95\xa1\xff\x00\x01\x01\xc0",
        b"\x96\xa1t\x00\x01\x01\xc0" + b"\x91" * 100_000,
    ],
    ids=["empty", "no-messagepack", "no-fields", "text", "wrong-type", "wrong-tag", "not-utf-8", "deep"],
)
def test_a_malformed_message_is_a_channel_error(decoder: Callable[[bytes], object], message: bytes) -> None:
    with pytest.raises(ChannelError, match=r"not an? (request|answer): "):
        decoder(message)


@given(names)
def test_a_path_of_any_bytes_arrives_unchanged(name: str) -> None:
    assert to_path(to_bytes(Path("/data") / name)) == Path("/data") / name


# --- the worker's end


class Launcher:
    """A ROUTER in the launcher's place; `asks` runs a request of the worker in another thread."""

    def __init__(self, folder: Path) -> None:
        self.alive = threading.Event()
        self.alive.set()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        address = f"ipc://{folder}/channel.sock"
        self._router.bind(address)
        self.channel = Channel(config_for(address), self.alive.is_set)
        self._thread = ThreadPoolExecutor(1)

    def asks(self, *settled: Settled) -> Future[Answer]:
        return self._thread.submit(self.channel.ask, settled)

    def hears(self) -> tuple[bytes, bytes]:
        """Return the next message, with its sender."""
        assert self._router.poll(ANSWER_MS), "nothing was asked"
        peer, message = self._router.recv_multipart()
        return peer, message

    def says(self, peer: bytes, message: bytes) -> None:
        self._router.send_multipart([peer, message])

    def close(self) -> None:
        self.alive.clear()
        self._thread.shutdown()
        self.channel.close()
        self._context.destroy(linger=0)


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    made = Launcher(tmp_path)
    yield made
    made.close()


def test_a_request_carries_what_was_settled_and_returns_the_answer(launcher: Launcher) -> None:
    done = Settled(b"frame")
    asked = launcher.asks(done)
    peer, message = launcher.hears()
    assert decode_request(message) == Request("secret", slot=3, epoch=2, number=1, settled=(done,))
    answer = Answer(1, (Task("g.fa", b"/data/g.fa", b"/out/2", 1),))
    launcher.says(peer, encode_answer(answer))
    assert asked.result(ANSWER_MS) == answer


def test_each_request_has_the_next_number(launcher: Launcher) -> None:
    for number in (1, 2, 3):
        asked = launcher.asks()
        peer, message = launcher.hears()
        assert decode_request(message).number == number
        launcher.says(peer, encode_answer(Answer(number)))
        asked.result(ANSWER_MS)


def test_a_request_that_is_not_answered_is_sent_again_unchanged(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_end, "RETRY_MS", 50)
    monkeypatch.setattr(worker_end, "_POLL_MS", 10)
    asked = launcher.asks(Settled(b"frame"))
    first = launcher.hears()
    assert launcher.hears() == first
    launcher.says(first[0], encode_answer(Answer(1)))
    assert asked.result(ANSWER_MS) == Answer(1)


def test_an_answer_that_arrives_twice_is_not_taken_for_the_next_one(launcher: Launcher) -> None:
    asked = launcher.asks()
    peer, _ = launcher.hears()
    for _ in range(2):
        launcher.says(peer, encode_answer(Answer(1)))
    asked.result(ANSWER_MS)
    asked = launcher.asks()
    launcher.hears()
    launcher.says(peer, encode_answer(Answer(2)))
    assert asked.result(ANSWER_MS) == Answer(2)


def test_an_answer_that_cannot_be_decoded_is_a_channel_error(launcher: Launcher) -> None:
    asked = launcher.asks()
    peer, _ = launcher.hears()
    launcher.says(peer, b"\xc1")
    with pytest.raises(ChannelError, match="not an answer"):
        asked.result(ANSWER_MS)


def test_a_request_ends_when_the_launcher_has_died(launcher: Launcher) -> None:
    asked = launcher.asks()
    launcher.hears()
    launcher.alive.clear()
    with pytest.raises(ChannelError, match="the launcher has closed the pipe"):
        asked.result(ANSWER_MS)
