"""Secrets never show."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.masking import MASK, mask

SEED = "SUA" + "B2C3D4E5F6G7" * 4 + "ABCDEFG"
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJBQkNERUZHSElKSyJ9.c2lnbmF0dXJlc2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("nats://roy:hunter2@host:4222", f"nats://roy:{MASK}@host:4222"),
        ("nats://a:b@h1,nats://c:d@h2", f"nats://a:{MASK}@h1,nats://c:{MASK}@h2"),
        ("postgresql://u:p@ss@h/db?x=1", f"postgresql://u:{MASK}@h/db?x=1"),
        ("nats://tok3n@host", f"nats://{MASK}@host"),
        ("PGPASSWORD=hunter2 psql", f"PGPASSWORD={MASK} psql"),
        ("DB_PASSWORD=hunter2", f"DB_PASSWORD={MASK}"),
        ("host=h password='my long one' user=u", f"host=h password='{MASK}' user=u"),
        ('{"password": "my \\"long\\" one", "user": "u"}', f'{{"password": "{MASK}", "user": "u"}}'),
        (json.dumps('{"password":"hunter2"}'), json.dumps(f'{{"password":"{MASK}"}}')),
        ("apiKey: abc, next", f"apiKey: {MASK}, next"),
        ("GITHUB_TOKEN=ghp_x", f"GITHUB_TOKEN={MASK}"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ("Authorization: Basic dXNlcjpwYXNz", f"Authorization: Basic {MASK}"),
        (f"seed {SEED} end", f"seed {MASK} end"),
        (f"token {JWT}.", f"token {MASK}."),
    ],
)
def test_secrets_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    ["", "tokens: 200", "http://127.0.0.1:8222/varz", "postgresql://u@host/db", "see http://h:80/a and mail a@b.c",
     "http://h:8080/p?x=a@b", "the password is asked for", "Basic understanding",
     "SUBJECT agog.deliverables.roy.backend.x",
     "spawn_savings: 95%, notice tokens=3"],
)  # fmt: skip
def test_everything_else_stays(text: str) -> None:
    assert mask(text) == text


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/@ \t\n\r\x0b\x0c"), min_size=4, max_size=20)
)
def test_no_password_of_a_url_survives(password: str) -> None:
    if not any(character.isspace() for character in password) and password not in f"nats://user:{MASK}@host":
        assert password not in mask(f"nats://user:{password}@host")


@pytest.mark.parametrize(
    "piece", ["a", "a://", "password=", 'password="', "Bearer ", "nats://a:", "eyJaaaaaaaaaaaa.", "-", "secret \n"]
)
def test_time_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        mask(text)
        return time.process_time() - begin

    assert seconds(400_000) < 32 * max(seconds(50_000), 0.01)
