"""Bundles: what is written is read back, whatever it was; what is altered is named; what is hostile is refused."""

from __future__ import annotations

import base64
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_agog.errors import BadInput
from pytest_agog.ledger import bundle
from pytest_agog.ledger.answers import HttpSeen, StreamSeen, TableSeen
from pytest_agog.ledger.codec import masked, may_hold_secret
from pytest_agog.ledger.facts import (
    AgentSpawned,
    Earlier,
    Fact,
    MessageSeen,
    MessageStored,
    NoticeSeen,
    PublishAcked,
    PublishAttempted,
    StepStarted,
)
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.masking import mask

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
floats = st.floats(allow_nan=False, allow_infinity=False)


def facts(ledger: Ledger, payload: str) -> st.SearchStrategy[Fact]:
    """Any kind of fact that can stand next in `ledger`."""
    seen = [one.index for one in ledger.of(MessageSeen)]
    attempts = [one.index for one in ledger.of(PublishAttempted)]
    special: dict[type, st.SearchStrategy[Fact]] = {
        MessageStored: st.builds(
            MessageStored, payload=st.just(payload), seen=st.sampled_from([None, *seen]), time=floats,
            headers=st.dictionaries(text, text, max_size=2),
        ),
        AgentSpawned: st.builds(
            AgentSpawned, prompt=st.just(payload),
            earlier=st.tuples(st.builds(Earlier, report=st.just(None) | st.just(payload), notice=st.just(payload))),
        ),
        StreamSeen: st.builds(
            StreamSeen, config=st.dictionaries(text, json_values, max_size=3),
            state=st.dictionaries(text, json_values, max_size=3),
        ),
        TableSeen: st.builds(TableSeen, indexes=st.tuples(st.tuples(text, text), st.tuples())),
    }  # fmt: skip
    options = []
    for kind in get_args(Fact):
        if kind in special:
            options.append(special[kind])
        elif "attempt" in kind.__dataclass_fields__ and kind.__name__.startswith("Publish"):
            if attempts:
                options.append(st.builds(kind, attempt=st.sampled_from(attempts), **_texts(kind)))
        else:
            fixed = {"payload": st.just(payload)} if "payload" in kind.__dataclass_fields__ else {}
            options.append(st.builds(kind, **fixed, **_texts(kind)))
    return st.one_of(options)


def _texts(kind: type) -> dict[str, st.SearchStrategy[object]]:
    """Strategies for fields where hypothesis' own guess would not survive JSON (lone surrogates, inf, any object)."""
    found: dict[str, st.SearchStrategy[object]] = {}
    for name, described in kind.__dataclass_fields__.items():  # type: ignore[attr-defined]
        if described.type == "str":
            found[name] = text
        elif described.type == "float":
            found[name] = floats
        elif described.type == "dict[str, Any]":
            found[name] = st.dictionaries(text, json_values, max_size=3)
    return found


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=50
)
@given(st.data())
def test_what_is_written_is_read_back(tmp_path: Path, data: st.DataObject) -> None:
    ledger = Ledger()
    for number in range(data.draw(st.integers(0, 6))):
        size = data.draw(st.sampled_from([0, 10, 70_000]))
        payload = ledger.payloads.put(data.draw(st.binary(max_size=20)) + b"\xff" * size)
        ledger.append(data.draw(facts(ledger, payload)), float(number) + 0.1)
    if any(may_hold_secret(repr(one)) for one in ledger):
        return
    folder = tmp_path / "bundle"
    meta = {"scenario": data.draw(text), "claims": []}
    bundle.write(folder, ledger, meta)
    assert bundle.check_integrity(folder) == []
    found = bundle.read(folder)
    assert list(found.ledger) == list(ledger)
    assert {key: found.ledger.payloads[key] for key in found.ledger.payloads} == {
        key: ledger.payloads[key] for key in ledger.payloads
    }
    assert found.meta == meta


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A small bundle."""
    ledger = Ledger()
    small, large = ledger.payloads.put(b'{"a": 1}'), ledger.payloads.put(b"\x00" * 100_000)
    attempt = ledger.append(PublishAttempted("a.x", small, by="step 1"))
    seen = ledger.append(MessageSeen("a.x", small, 8))
    ledger.append(PublishAcked(attempt, "A", 1))
    ledger.append(MessageStored("A", 1, 1.5, "a.x", small, 8, seen=seen))
    ledger.append(MessageStored("A", 2, 1.6, "a.y", large, 100_000))
    folder = tmp_path / "bundle"
    bundle.write(folder, ledger, {"scenario": "small"})
    return folder


def lines(folder: Path) -> list[bytes]:
    return (folder / bundle.LEDGER).read_bytes().splitlines(keepends=True)


def put(folder: Path, content: list[bytes]) -> None:
    (folder / bundle.LEDGER).write_bytes(b"".join(content))


def change(folder: Path) -> None:
    content = lines(folder)
    content[3] = content[3].replace(b'"a.x"', b'"a.z"')
    put(folder, content)


def remove(folder: Path) -> None:
    put(folder, lines(folder)[:1] + lines(folder)[2:])


def insert(folder: Path) -> None:
    put(folder, [*lines(folder)[:2], lines(folder)[1], *lines(folder)[2:]])


def cut(folder: Path) -> None:
    put(folder, lines(folder)[:-1])


def payload_changed(folder: Path) -> None:
    path = folder / bundle.SMALL
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


def large_payload_changed(folder: Path) -> None:
    (path,) = (folder / bundle.LARGE).iterdir()
    path.write_bytes(b"\x01" * 100_000)


def large_payload_removed(folder: Path) -> None:
    (path,) = (folder / bundle.LARGE).iterdir()
    path.unlink()


def file_added(folder: Path) -> None:
    (folder / "more.txt").write_text("x")


def meta_changed(folder: Path) -> None:
    (folder / bundle.META).write_text('{"scenario": "other"}')


@pytest.mark.parametrize(
    ("alter", "expected"),
    [
        (change, "ledger.jsonl:4"),
        (remove, "ledger.jsonl:2"),
        (insert, "ledger.jsonl:3"),
        (cut, "4 lines, 5 were written"),
        (payload_changed, "payloads.jsonl:1"),
        (large_payload_changed, "payloads/"),
        (large_payload_removed, "the file is missing"),
        (file_added, "more.txt: the file was added"),
        (meta_changed, "meta.json: the file was altered"),
    ],
)
def test_alterations_are_named(written: Path, alter: Callable[[Path], None], expected: str) -> None:
    assert bundle.check_integrity(written) == []
    alter(written)
    found = bundle.check_integrity(written)
    assert any(expected in line for line in found), found


def named(folder: Path) -> list[str]:
    """What is wrong with the bundle; that there is none counts too."""
    try:
        return bundle.check_integrity(folder)
    except BadInput as error:
        return [str(error)]


def replace_first(folder: Path, line: bytes) -> None:
    put(folder, [line + b"\n", *lines(folder)[1:]])


def line_of(fact: dict[str, object], index: int = 0) -> bytes:
    return json.dumps({"index": index, "at": 1.0, "fact": fact}).encode()[:-1] + b',"chain":"' + b"0" * 64 + b'"}'


def hostile_symlink(folder: Path) -> None:
    (folder / bundle.META).unlink()
    (folder / bundle.META).symlink_to("/etc/passwd")


def hostile_pipe(folder: Path) -> None:
    (folder / bundle.LEDGER).unlink()
    os.mkfifo(folder / bundle.LEDGER)


def hostile_payload_name(folder: Path) -> None:
    (folder / bundle.SMALL).write_bytes(b'{"id": "../../../etc/passwd", "text": "x"}\n')


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / bundle.MANIFEST).unlink(), "manifest.json"),
        (lambda f: (f / bundle.MANIFEST).write_text("[" * 100_000), "no JSON"),
        (lambda f: (f / bundle.MANIFEST).write_text('{"agog": 99}'), "format"),
        (lambda f: (f / bundle.LEDGER).unlink(), "ledger.jsonl"),
        (lambda f: (f / bundle.LEDGER).write_bytes(b"x" * 9_000_000), "ledger.jsonl:1: the line is longer"),
        (lambda f: (f / bundle.LEDGER).write_bytes(b"\xff\xfe\n"), "ledger.jsonl:1"),
        (lambda f: replace_first(f, line_of({"kind": "no.such.kind"})), "ledger.jsonl:1: fact"),
        (lambda f: replace_first(f, line_of({"kind": "step.started", "number": "one"})), "ledger.jsonl:1: fact"),
        (
            lambda f: replace_first(f, line_of({"kind": "baseline", "stream": "A", "last_sequence": 1}, index=7)),
            "index 7 stands where 0 belongs",
        ),
        (
            lambda f: replace_first(f, line_of({"kind": "publish.acked", "attempt": 9, "stream": "A", "sequence": 1})),
            "refers to observation 9",
        ),
        (
            lambda f: replace_first(
                f, line_of({"kind": "message.seen", "subject": "a", "payload": "../../etc/passwd", "size": 1})
            ),
            "is not in the bundle",
        ),
        (hostile_symlink, "no regular file"),
        (hostile_pipe, "no regular file"),
        (hostile_payload_name, "64 hexadecimal digits"),
        (lambda f: (f / bundle.SMALL).write_bytes(b'{"id": 1}\n'), "this is no payload"),
        (lambda f: (f / bundle.SMALL).write_bytes(b"[]\n"), "this is no payload"),
        (lambda f: (f / bundle.META).write_bytes(b"\xff"), "no JSON"),
    ],
)
def test_hostile_bundles_are_refused(written: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(written)
    with pytest.raises(BadInput, match=r".+") as refused:
        bundle.read(written)
    assert said in str(refused.value)
    assert named(written)


def test_no_bundle_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"manifest\.json"):
        bundle.read(tmp_path / "nowhere")


def test_secrets_are_masked(tmp_path: Path) -> None:
    ledger = Ledger()
    plain = ledger.payloads.put(b"connecting to postgresql://agog:hunter2@db/x")
    structured = ledger.payloads.put(b'{"password": "hunter2", "name": "x", "n": [1]}')
    large = ledger.payloads.put(b"nats://hunter2@host " + b"word " * 20_000)
    ledger.append(HttpSeen("http:GET:/", "GET", "/", 200, {"Authorization": "Bearer hunter2"}, plain))
    ledger.append(MessageSeen("a", structured, 1, {"X-Api-Key": "hunter2"}))
    ledger.append(NoticeSeen("roy", "R", 1, large, "failed at nats://u:hunter2@h"))
    folder = tmp_path / "bundle"
    bundle.write(folder, ledger, {"environment": {"password": "hunter2"}})
    for path in folder.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path
    assert bundle.check_integrity(folder) == []
    found = bundle.read(folder).ledger
    assert found.payloads.json(structured) == {"password": "****", "name": "x", "n": [1]}
    assert found.payloads[plain] == b"connecting to postgresql://agog:****@db/x"
    assert [type(one.fact) for one in found] == [type(one.fact) for one in ledger]


def test_what_is_shown_masked_is_saved_masked_and_known_as_such(tmp_path: Path) -> None:
    ledger = Ledger()
    key = ledger.payloads.put_masked(b"it is hunter2", b"it is ****")
    binary = ledger.payloads.put(b"\xff\xfe password=hunter2 \xff")
    pair = ledger.payloads.put(
        b'{"env": [{"name": "DB_PASSWORD", "value": "hunter2"}], "password": ["hunter2", {"x": 1}],'
        b' "token": "hunter2abcdef012345"}'
    )
    assert (ledger.payloads.original(key), ledger.payloads[key]) == (b"it is hunter2", b"it is ****")
    ledger.append(NoticeSeen("roy", "R", 1, key, "x"))
    folder = tmp_path / "bundle"
    bundle.write(folder, ledger, {})
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"hunter2" not in data, path
            assert base64.b64encode(b" password=hunter2")[4:-4] not in data, path
    assert bundle.check_integrity(folder) == []
    found = bundle.read(folder).ledger.payloads
    assert found.json(pair) == {
        "env": [{"name": "DB_PASSWORD", "value": "****"}], "password": ["****", {"x": 1}], "token": "****",
    }  # fmt: skip
    assert found[binary] == b"\xff\xfe password=**** \xff"
    found.met_masked = False
    assert found.original(key) == b"it is ****"
    assert found.met_masked


def test_surrogates_do_not_stop_a_bundle(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.append(StepStarted(1, "publish", "odd \ud800 label"))
    bundle.write(tmp_path / "bundle", ledger, {"odd": "\ud800"})
    (one,) = bundle.read(tmp_path / "bundle").ledger.of(StepStarted)
    assert one.fact.label == "odd ? label"


@given(st.text(string.ascii_letters + "://@=\"' .-_" + string.digits, max_size=60))
def test_the_quick_look_misses_nothing(value: str) -> None:
    if mask(value) != value:
        assert may_hold_secret(value)
    assert masked(value) == mask(value)


def test_writing_again_replaces(written: Path) -> None:
    bundle.write(written, Ledger(), {})
    assert bundle.check_integrity(written) == []
    assert len(bundle.read(written).ledger) == 0
