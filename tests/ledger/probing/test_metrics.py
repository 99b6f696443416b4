"""Metrics are read as Prometheus reads them, from services that answer in any way. Real HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from pytest_agog.ledger.answers import MetricsSeen
from pytest_agog.ledger.probes import MetricsProbe
from pytest_agog.ledger.probing import metrics
from pytest_agog.ledger.probing.sites import Sites

Write = Callable[[Callable[[bytes], object]], object]


@contextmanager
def answering(write: Write, status: int = 200) -> Iterator[str]:
    """A service whose body `write` writes; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            try:
                write(self.wfile.write)
            except OSError:
                return  # whoever asked has gone

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/metrics"
        finally:
            server.shutdown()
            thread.join()


async def scraped(url: str, name: str = "wanted") -> MetricsSeen:
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        return await metrics.look(MetricsProbe(name, url), Sites(), client)


async def read(text: bytes, name: str = "wanted", status: int = 200) -> MetricsSeen:
    with answering(lambda write: write(text), status) as url:
        return await scraped(url, name)


async def test_every_series_of_the_name_is_kept() -> None:
    text = "".join(f'wanted{{agent="a-{one}"}} {one}\n' for one in range(3000)).encode()
    seen = await read(text + b"unwanted 1\n")
    assert seen.reason == ""
    assert len(seen.series) == 3000
    assert (seen.series[-1].labels, seen.series[-1].value) == ({"agent": "a-2999"}, "2999.0")


async def test_more_than_can_be_compared_is_no_proof() -> None:
    seen = await read("".join(f'wanted{{agent="a-{one}"}} 1\n' for one in range(10_001)).encode())
    assert seen.series == ()
    assert "10001 series have that name" in seen.reason


async def test_odd_labels_are_kept_as_they_are_meant() -> None:
    seen = await read(b'wanted{l="a\\"b\\n\\\\",m="#{}"} 4\r\n')
    assert [(one.labels, one.value) for one in seen.series] == [({"l": 'a"b\n\\', "m": "#{}"}, "4.0")]


async def test_counters_are_found_with_and_without_their_ending() -> None:
    assert [one.name for one in (await read(b"wanted_total 3\n")).series] == ["wanted_total"]
    assert [one.name for one in (await read(b"wanted 3\n", "wanted_total")).series] == ["wanted"]


@pytest.mark.parametrize(
    "text",
    [b"<html>wanted 1</html>", b'{"wanted": 1}', b'wanted{l="x 1\n', b"wanted 0x10\n", b"wanted\n", b"\xff\xfe 1\n"],
)
async def test_what_prometheus_does_not_read_is_a_reason(text: bytes) -> None:
    seen = await read(text)
    assert seen.series == ()
    assert "no text that Prometheus reads" in seen.reason


async def test_other_answers_are_a_reason() -> None:
    assert (await read(b"wanted 1\n", status=500)).reason == "it answers with status 500"
    assert (await read(b"#" * 17_000_000)).reason == "the answer is larger than 16 MB; not read"
    assert (await scraped("http://127.0.0.1:1/metrics")).reason.startswith("no answer: ")


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_PATIENCE", 0.3)
    over = threading.Event()

    def trickle(write: Callable[[bytes], object]) -> None:
        while not over.wait(0.05):
            write(b"#")

    with answering(trickle) as url:
        try:
            seen = await scraped(url)
        finally:
            over.set()
    assert seen.reason == "no answer: it was not complete within 0.3 s"
