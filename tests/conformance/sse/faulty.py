"""Agent comms of another system with one fault on purpose: FAULT in the environment names it, `none` leaves it sound.

It hears NATS without JetStream, keeps what it heard in memory, and serves it as events and as pages. Faults of events:
`repeats` the last event after a reconnect, `loses` the first one after it, `drops` the third, `shuffles` the second and
third, `trims` contents, sends `no-ids`, is `slow` with the fifth, `strays` into other runs. Of pages: content stands in
them `raw`, as its `source` or is `hidden`; they stand `still` or answer with an `error`.
"""

import html
import itertools
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULT = os.environ["FAULT"]
Message = dict[str, Any]

told: list[Message] = []
changed = threading.Condition()
listens = threading.Event()


def hear() -> None:
    """Keep everything that is published, in order."""
    url = urlsplit(os.environ["NATS_URL"])
    connection = socket.create_connection((url.hostname, url.port))
    lines = connection.makefile("rb")
    connection.sendall(b'CONNECT {"verbose": false}\r\nSUB argo.workflow.> 1\r\nPING\r\n')
    for line in lines:
        word, *rest = line.split()
        if word == b"PING":
            connection.sendall(b"PONG\r\n")
        elif word == b"PONG":
            listens.set()
        elif word == b"MSG":
            message = json.loads(lines.read(int(rest[-1]) + 2))
            with changed:
                told.append(message)
                changed.notify_all()


def after(number: int, run: str) -> Iterator[tuple[int, Message]]:
    """The numbered messages of a run, as they come."""
    held: tuple[int, Message] | None = None
    for place in itertools.count(number + 1):
        with changed:
            while len(told) < place:
                changed.wait()
            message = told[place - 1]
        if (message["run_id"] != run and FAULT != "strays") or (FAULT == "drops" and place == 3):
            continue
        if FAULT == "shuffles" and place == 2:
            held = place, message
            continue
        if FAULT == "slow" and place == 5:
            time.sleep(2.5)
        yield place, message
        if held is not None:
            yield held
            held = None


def shown(message: Message) -> str:
    """A message as markup."""
    content = message["content"]
    if FAULT != "raw":
        content = html.escape(content)
    if FAULT != "source":
        content = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", content)
    return f"<p{' hidden' if FAULT == 'hidden' and '<strong>' in content else ''}>{content}</p>"


PAGE = "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><body data-last={last}>{body}{live}"
LIVE = """
const last = document.body.dataset.last;
const run = location.pathname.split("/").pop();
new EventSource(`/api/agents/events?runId=${run}&after=${last}`).onmessage = (event) =>
  document.body.insertAdjacentHTML("beforeend", JSON.parse(event.data).html);
"""


class Answer(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Health, events, a page or its script."""
        url = urlsplit(self.path)
        if url.path == "/api/agents/events":
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            self.events(asked["runId"], int(asked.get("after", 0)))
        elif url.path == "/live.js":
            self.whole("text/javascript", LIVE)
        elif url.path.startswith("/agents/"):
            self.page(url.path.rpartition("/")[2])
        else:
            self.whole("text/plain", "ok")

    def events(self, run: str, number: int) -> None:
        """Events until the reader goes."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        if resumed := self.headers["Last-Event-ID"]:
            number = int(resumed) + {"repeats": -1, "loses": 1}.get(FAULT, 0)
        try:
            for place, message in after(number, run):
                content = message["content"].strip() if FAULT == "trims" else message["content"]
                data = json.dumps({**message, "content": content, "html": shown(message)})
                name = "" if FAULT == "no-ids" else f"id: {place}\n"
                self.wfile.write(f"{name}data: {data}\n\n".encode())
        except OSError:
            return

    def page(self, run: str) -> None:
        """What was said so far; the script adds the rest."""
        with changed:
            known = list(told)
        body = "".join(shown(message) for message in known if message["run_id"] == run)
        live = "" if FAULT == "still" else "<script src=/live.js></script>"
        text = PAGE.format(last=len(known), body=body, live=live)
        self.whole("text/html", text, 500 if FAULT == "error" else 200)

    def whole(self, kind: str, text: str, status: int = 200) -> None:
        """An answer with an end."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


threading.Thread(target=hear, daemon=True).start()
listens.wait()
Server(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
