"""Comms of another system, of which only metrics matter: FAULT names what is wrong with them, `none` leaves them sound.

It asks NATS's monitoring how far a consumer is behind. `pending-only` forgets what was handed out and not acknowledged,
`absent` has no such series at all, `nan` knows no number, `other-label` calls the consumer something else.
"""

import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAULT = os.environ["FAULT"]


def lag() -> tuple[int, int]:
    """What waits, and what is in somebody's hands."""
    with urllib.request.urlopen(f"{os.environ['NATS_MONITOR_URL']}/jsz?consumers=true") as answer:
        told = json.load(answer)
    for account in told.get("account_details") or []:
        for stream in account["stream_detail"]:
            for one in stream.get("consumer_detail") or []:
                if one["name"] == "roy-backend":
                    return one["num_pending"], one["num_ack_pending"]
    return 0, 0


def shown() -> str:
    """The metrics as text."""
    pending, unacked = lag()
    behind = pending if FAULT == "pending-only" else pending + unacked
    value = "NaN" if FAULT == "nan" else str(behind)
    consumer = "roy" if FAULT == "other-label" else "roy-backend"
    lines = ["# TYPE other_requests counter", "other_requests_total 3"]
    if FAULT != "absent":
        lines += ["# TYPE other_lag gauge", f'other_lag{{consumer="{consumer}",stream="REQUIREMENTS"}} {value}']
    lines += [
        "# TYPE other_seconds histogram", 'other_seconds_bucket{le="0.5"} 2', 'other_seconds_bucket{le="+Inf"} 4',
        "other_seconds_sum 9.5", "other_seconds_count 4",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


class Answer(BaseHTTPRequestHandler):
    """Metrics, and that it is well."""

    def do_GET(self) -> None:
        """Answer."""
        body = (shown() if self.path == "/metrics" else "well").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
