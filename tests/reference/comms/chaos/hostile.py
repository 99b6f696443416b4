"""Messages that nobody should send: payloads and subjects, each made the same way in every run."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Final

from pytest_agog.wire.comms import ALIASES, AgentMessage

DEEP: Final = 100_000
VALUES: Final = {
    "null": "null",
    "true": "true",
    "false": "false",
    "zero": "0",
    "minus zero": "-0.0",
    "fraction": "1.5",
    "whole": "7",
    "big": "9" * 40,
    "4,400 digits": "9" * 4_400,
    "200,000 digits": "9" * 200_000,
    "beyond a double": "1e999",
    "below a double": "1e-999",
    "not a number": "NaN",
    "infinite": "-Infinity",
    "nothing": '""',
    "blanks": '" \\t\\r\\n"',
    "text": '"text"',
    "list": "[]",
    "list of odd things": '[null, 0, "", [], {}, -0.0]',
    "object": "{}",
    "object of odd things": '{"": null, "a.b": {"c": [0]}, "\\u202e": ""}',
    "nested": "[" * 150 + "]" * 150,
    "nested objects": '{"a":' * 150 + "1" + "}" * 150,
    "nested deeply": "[" * DEEP + "]" * DEEP,
    "NUL": '"a\\u0000b"',
    "NUL inside": '{"a": ["\\u0000"]}',
    "NUL in a key": '{"\\u0000": 1}',
    "escaped backslash before u0000": '"a\\\\u0000b"',
    "lone surrogate": '"\\ud800"',
    "lone low surrogate": '"\\udc00x"',
    "pair": '"\\ud83d\\ude00"',
    "noncharacters": '"\\uffff\\ufffe\\ufeff"',
    "controls": '"\\u0001\\u001b[31m\\u007f\\u0085\\u2028\\u2029"',
    "turned": '"\\u202egnp.exe\\u2066"',
    "zero width": '"\\u200b"',
    "999 bytes": '"' + "é" * 499 + 'x"',
    "1,001 bytes": '"' + "é" * 500 + 'x"',
    "long": '"' + "x" * 70_000 + '"',
    "markup": '"<script>alert(1)</script>"',
    "statement": '"\'; DROP TABLE workflow_comms.agent_messages; --"',
    "placeholder": '"%s %(x)s %b $1 {0} \\\\"',
    "path": '"../../../etc/passwd"',
    "frame": '"a\\n\\nid: 1\\nevent: message\\ndata: {}\\n\\n"',
}
"""JSON texts (some are none), by a name for people."""
_COLUMN_LIKE: Final = ("seq", "dedupe_key", "stream_seq", "exitCode", "toolCallId", "created_at")
KEYS: Final = tuple(
    dict.fromkeys(
        [
            *(key for keys in ALIASES.values() for key in keys),
            *(field.serialization_alias or name for name, field in AgentMessage.model_fields.items()),
            *_COLUMN_LIKE,
        ]
    )
)
"""Each key of the contract and each alias, and some that look like columns."""


def at_every_key() -> Iterator[bytes]:
    """Every value at every key, alone and beside a content."""
    for key in KEYS:
        for name, value in VALUES.items():
            beside = "" if key == "content" else f', "content": {json.dumps(f"{name} at {key}")}'
            yield f"{{{json.dumps(key)}: {value}{beside}}}".encode()
            if len(value) < 1_000:
                yield f"{{{json.dumps(key)}: {value}}}".encode()


def odd_objects() -> Iterator[bytes]:
    """Many keys, odd keys, the same key again and again."""
    yield json.dumps({f"key {number}": number for number in range(1_000)}).encode()
    yield json.dumps({f"key{number}.{'x' * number}": [number] for number in range(1_000)}).encode()
    for key in (
        "\0", "a\0b", "a.b.c", "", " ", "\n", "ключ", "🗝", "\ud800", "\u202e", "__proto__", "constructor", "toString",
        "x" * 100_000, "%s", "%(content)s", "$1", "seq", "dedupe_key", "stream_seq", "Content", "CONTENT", "messageID",
        "HTTPServerID", "exitCode", "attrs", "<b>", "'", '"', "\\",
    ):  # fmt: skip
        text = json.dumps({key: "value", "content": "an odd key"})
        yield text.encode()
        yield json.dumps({"attrs": {key: {key: [key]}}, "content": "an odd key inside"}).encode()
    yield b'{"content": "first", "content": "second", "content": 3}'
    yield b'{"content": 3, "content": "last"}'
    yield b'{"exitCode": 1, "exit_code": 2, "EXIT_CODE": 3, "content": "x"}'
    yield b'{"attrs": {"exit_code": 1, "message_id": {"a": 1}}, "exitCode": 2, "message_id": "m", "content": "x"}'
    yield json.dumps({"content": "x" * 9_000_000}).encode()
    yield json.dumps({"content": "\n\r\u2028\t" * 500_000}).encode()
    yield json.dumps({"content": "small", "attrs": {"big": "x" * 9_000_000}}).encode()
    yield json.dumps({"content": "wide", "attrs": {"list": [0] * 2_000_000}}).encode()


TIMES: Final = (
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00-23:59",
    "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59+23:59", "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z",
    "2026-03-01T24:00:00Z", "2026-03-01T00:00:00+24:00", "2026-03-01T00:00:00+99:99", "2026-03-01T00:00:00-00:00",
    "2026-03-01T00:00:00+14:00", "2026-03-01T00:00:00+05:53", "2026-03-01t00:00:00z", "2026-03-01 00:00:00",
    "2026-03-01", "2026-W09-7T00:00:00Z", "20260301T000000Z", "1772323200", "now", "infinity", "-infinity", "epoch",
    "2026-03-01T00:00:00.123456789123456789Z", "2026-03-01T00:00:00.Z", "٢٠٢٦-03-01T00:00:00Z", " 2026-03-01T00:00:00Z",
    "2026-03-01T00:00:00Z\n", "2026-03-01T00:00:00Z; DROP TABLE x", "2026-03-01T00:00:00 Europe/Berlin", "",
    "1969-12-31T23:59:59Z", "1582-10-10T00:00:00Z", "2038-01-19T03:14:08Z",
)  # fmt: skip


def odd_times() -> Iterator[bytes]:
    """Times at the ends of the calendar and beyond them."""
    for key in ALIASES["timestamp"]:
        for time in TIMES:
            yield json.dumps({key: time, "content": f"{key} {time}"}).encode()


def noise(seed: int, number: int) -> Iterator[bytes]:
    """Random bytes, and JSON with a few bytes wrong, cut off, or put in."""
    chance = random.Random(seed)
    whole = json.dumps({
        "message_id": "m", "run_id": "r", "timestamp": "2026-03-01T00:00:00Z", "kind": "tool_call",
        "content": "Grüße 😀\\ \n", "tool": {"name": "shell", "args": [1, 2.5, None, True]}, "exit_code": 0,
    }, ensure_ascii=False).encode()  # fmt: skip
    for _ in range(number):
        match chance.randrange(5):
            case 0:
                yield chance.randbytes(chance.randrange(200))
            case 1:
                yield whole[: chance.randrange(len(whole))]
            case 2:
                changed = bytearray(whole)
                for _ in range(chance.randint(1, 4)):
                    changed[chance.randrange(len(changed))] = chance.randrange(256)
                yield bytes(changed)
            case 3:
                at = chance.randrange(len(whole))
                yield whole[:at] + chance.randbytes(chance.randint(1, 3)) + whole[at:]
            case _:
                at, to = sorted((chance.randrange(len(whole)), chance.randrange(len(whole))))
                yield whole[:at] + whole[to:]


TOP_LEVEL: Final = (
    b"", b" ", b"\0", b"null", b"true", b"0", b"1e999", b'"text"', b"[]", b"[{}]", b"{}", b"{}{}", b"{} x",
    b"\xef\xbb\xbf{}",
    b"\xff\xfe{\0}\0", "{}".encode("utf-16"), "{}".encode("utf-32"), b"{'a': 1}", b'{"a": 1,}', b'{"a" 1}', b"{", b"}",
    b'{"content": "\xed\xa0\x80"}', b'{"content": "\xc0\x80"}', b'{"content": "\x01"}', b'{"content": "a\nb"}',
    b"[" * DEEP, b'{"a":' * DEEP, b"MSG x 1 5\r\nhello\r\n", b"+ACK", b"-NAK", b"\r\n", b"PING\r\n",
)  # fmt: skip
"""Payloads that are no object, or hardly one."""


def payloads(seed: int = 1, *, random_ones: int = 1_500) -> Iterator[bytes]:
    """All of them."""
    yield from TOP_LEVEL
    yield from at_every_key()
    yield from odd_objects()
    yield from odd_times()
    yield from noise(seed, random_ones)


TOKENS: Final = (
    "\u00a0", "\u3000", "\u200b", "\u202e", "\ufeff", "%", "%%", "%s", "%2E", "%2e%2E", "%00", "%252E", "%C3%28",
    "agent",
    "general", "_", "-", "null", "0", "'", '"', "\\", "/", "%2f%2F", "<script>", "$JS", "é", "e\u0301", "😀", "\x01",
    "\x7f", "\x1b[31m", "x" * 999, "x" * 1_001, "é" * 501, "{}", "${HOME}", "`id`", ";", "&", "#", "?",
)  # fmt: skip
"""Tokens of a subject; as UTF-8."""
ODD_BYTES: Final = (b"\xff\xfe", b"a\x00b", b"a\x0bb", b"a\x0cb", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5", b"\x80" * 300)
"""Tokens of a subject that are no text; nats-server takes them."""


def subjects() -> Iterator[bytes]:
    """Subjects with odd tokens at each place, dotted names, too few and too many tokens."""
    good = [b"ns", b"flow", b"uid", b"agent", b"roy", b"message"]
    for token in (*(text.encode() for text in TOKENS), *ODD_BYTES):
        for place in (0, 1, 2, 4, 5):
            yield b".".join([b"argo.workflow", *good[:place], token, *good[place + 1 :]])
        yield b"agentrun.general." + token
    for name in ("a.b", "a.b.c.d.e", "agent.agent.agent", "x.agent.y", "general", ".".join("abcdefghij" * 20)):
        yield f"argo.workflow.ns.{name}.uid.agent.roy.message".encode()
        yield f"argo.workflow.ns.flow.uid.agent.{name}.message".encode()
        yield f"argo.workflow.{name}".encode()
        yield f"agentrun.general.{name}".encode()
    yield b"argo.workflow." + b"x" * 3_500
    yield b"agentrun." + b".".join([b"a"] * 1_500)
