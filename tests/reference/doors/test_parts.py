"""What the door is made of: tokens out of files, addresses, rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_agog.errors import BadInput, UsageError
from pytest_agog.reference.doors import clients, sessions, signing
from pytest_agog.reference.doors.keyring import Keyring
from pytest_agog.reference.doors.limiting import Buckets, Limits, Rate, Streams, read_limits
from pytest_agog.reference.doors.settings import read_settings

TOKEN = "first-0123456789abcdef"
OTHER = "second-0123456789abcdef"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


# --- tokens -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no token"),
        ("# nothing but a comment\n\n", "holds no token"),
        ("short\n", "line 1, is no token"),
        (f"{TOKEN}\nwith a space in it, s3cr3t\n", "line 2, is no token"),
        ("x" * 5000, "line 1, is no token"),
        ("tökenwithumlauts-0123", "holds more than ASCII"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_and_its_content_not_shown(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "tokens"
    file.write_text(text)
    with pytest.raises(BadInput, match=reason) as caught:
        Keyring(file)
    assert "s3cr3t" not in str(caught.value)
    assert "short" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("name", ["absent", "."])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"cannot be read .*one token a line"):
        Keyring(tmp_path / name)


def test_a_file_is_read_again_when_it_changes_and_a_bad_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, file = Clock(), tmp_path / "tokens"
    file.write_text(TOKEN)
    keyring = Keyring(file, now=clock)
    file.write_text(f"{TOKEN}\n{OTHER}\n")
    clock.now += 1.5
    assert keyring.find(OTHER) is not None
    assert keyring.find(TOKEN) is not None
    file.write_text("")
    clock.now += 1.5
    assert keyring.find(TOKEN) is not None
    file.unlink()
    clock.now += 1.5
    assert keyring.find(TOKEN) is not None
    assert "the tokens stay as they were" in caplog.text
    assert TOKEN not in caplog.text
    file.write_text(f"{OTHER}\r\n")
    clock.now += 1.5
    assert keyring.find(TOKEN) is None
    assert keyring.find(OTHER) is not None


def test_a_link_that_is_pointed_elsewhere_is_a_change(tmp_path: Path) -> None:
    clock, link = Clock(), tmp_path / "tokens"
    (tmp_path / "old").write_text(TOKEN)
    (tmp_path / "new").write_text(OTHER)
    link.symlink_to("old")
    keyring = Keyring(link, now=clock)
    link.unlink()
    link.symlink_to("new")
    clock.now += 1.5
    assert keyring.find(TOKEN) is None
    assert keyring.find(OTHER) is not None


def test_tokens_of_file_and_environment_add_up_and_are_kept_nowhere(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text(TOKEN)
    settings = read_settings(token_file=tmp_path / "tokens", tokens=OTHER)
    assert settings.keyring is not None
    assert len(settings.keyring.keys) == 2
    assert TOKEN not in repr(settings)
    assert OTHER not in repr(vars(settings.keyring))
    assert read_settings().keyring is None
    assert read_settings(tokens="").keyring is None


@pytest.mark.parametrize("given", ["  ", "short"])
def test_a_variable_without_a_usable_token_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="AGOG_HTTP_TOKEN"):
        read_settings(tokens=given)


# --- sessions ---------------------------------------------------------------------------------------------------------
def test_a_session_is_of_its_token_for_its_time() -> None:
    (one, two) = Keyring(given=f"{TOKEN}\n{OTHER}").keys
    value = sessions.begin(one, 1000)
    header = f"other=1; {sessions.name_of(one)}={value}; more=2"
    assert sessions.find(header, [two, one], 1001) == (one, 1000 + sessions.LASTS)
    assert sessions.find(header, [two], 1001) is None
    assert sessions.find(header, [one], 1000 + sessions.LASTS) is None
    until, nonce, mac = value.split(".")
    later = f"{int(until) + 1}.{nonce}.{mac}"
    assert sessions.find(f"{sessions.name_of(one)}={later}", [one], 1001) is None
    assert sessions.begin(one, 1000) != value
    assert sessions.find(header, Keyring(given=TOKEN).keys, 1001) is not None, "another replica knows it"


# --- addresses --------------------------------------------------------------------------------------------------------
def _scope(peer: str | None, forwarded: str | None = None, protocol: str | None = None) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", line.encode()) for line in (forwarded or "").split("|") if line]
    if protocol:
        headers.append((b"x-forwarded-proto", protocol.encode()))
    return {"client": (peer, 1) if peer else None, "headers": headers, "scheme": "http"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.1", "192.0.2.1"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::/64"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4|198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", "," * 5000 + "198.51.100.1", "198.51.100.1"),
        ("2001:db8::1:2:3:4", None, "2001:db8::/64"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("fe80::1%eth0", None, "fe80::/64"),
        (None, None, "unknown"),
    ],
)
def test_who_asks(peer: str | None, forwarded: str | None, name: str) -> None:
    client = clients.identify(_scope(peer, forwarded), clients.networks("10.0.0.0/8"))
    assert client.name == name
    assert not client.local


def test_what_comes_through_a_proxy_of_this_machine_is_not_of_this_machine() -> None:
    trusted = clients.networks("127.0.0.1 ::1")
    assert clients.identify(_scope("127.0.0.1"), ()).local
    assert clients.identify(_scope("::1"), ()).local
    assert not clients.identify(_scope("127.0.0.1", "192.0.2.1"), trusted).local
    assert clients.identify(_scope("127.0.0.1", "192.0.2.1", "https"), trusted).secure
    assert not clients.identify(_scope("127.0.0.1", "192.0.2.1", "https"), ()).secure


# --- limits -----------------------------------------------------------------------------------------------------------
def test_a_bucket_fills_at_its_rate() -> None:
    clock = Clock()
    buckets = Buckets(Rate(0.5, 2), clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 2]
    assert buckets.take("b") == 0
    clock.now += 1
    assert buckets.take("a") == 1
    clock.now += 1
    assert buckets.take("a") == 0
    clock.now += 1000
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 2]
    buckets.give_back("a")
    assert buckets.take("a") == 0
    assert Buckets(None).take("a") == 0


def test_clients_are_forgotten_when_there_are_very_many() -> None:
    buckets = Buckets(Rate(1, 1), Clock())
    for number in range(20_010):
        buckets.take(str(number))
    assert len(buckets._left) == 20_000


def test_streams_are_counted_while_they_are_open() -> None:
    streams = Streams()
    with streams.one_more("a"), streams.one_more("a"), streams.one_more("b"):
        assert (streams.open, streams.of("a"), streams.of("b")) == (3, 2, 1)
    assert (streams.open, streams.of("a")) == (0, 0)
    assert not streams._of


def test_limits_as_people_write_them() -> None:
    assert read_limits(None, None, None) == Limits()
    assert read_limits("3/m", "off", "7") == Limits(Rate(0.05, 3), None, 7, for_local=True)
    assert read_limits("off", None, None).requests is None
    assert not read_limits(None, None, "5").for_local


@pytest.mark.parametrize(
    "options",
    [
        {"rate_limit": "3"}, {"rate_limit": "0/s"}, {"rate_limit": "3/d"}, {"rate_limit": "-1/s"}, {"readers": "0"},
        {"readers": "many"}, {"all_readers": "-3"}, {"all_readers": "\u0661"}, {"proxies": "10.0.0.0/33"},
        {"proxies": "localhost"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_can(options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"--(rate-limit|readers|all-readers|trusted-proxies) .*write"):
        read_settings(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "query", "back"),
    [
        ("/agents", b"", "/agents"),
        ("/agents/a b", b"x=1", "/agents/a%20b?x=1"),
        ("//evil.example", b"", "/"),
        ("/\\evil.example", b"", "/%5Cevil.example"),
        ("/ok", b"\xff", "/"),
    ],
)
def test_where_somebody_is_led_back_to(path: str, query: bytes, back: str) -> None:
    assert signing.asked(path, query) == back
