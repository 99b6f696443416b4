"""Secrets never show."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.ledger.codec import may_hold_secret
from pytest_agog.masking import MASK, hide, known_secrets, mask

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


AWS = "AKIA" + "IOSFODNN7EXAMPLE"
KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nCCqGSM49AwEHBG0wawIBAQ==\n-----END PRIVATE KEY-----"
ENDLESS = "-----BEGIN EC PRIVATE KEY-----\n  MIGHAgEAMBMGByqGSM49AgEG\n  CCqGSM49AwEHBG0wawIBAQ==\nand more"
SIGNED = JWT.rpartition(".")[0] + "." + "c2lnbmF0dXJl" * 7 + "Ab"


def _wrapped(text: str, width: int, indent: str) -> str:
    return f"\n{indent}".join(text[place : place + width] for place in range(0, len(text), width))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:p%40s%2Fs@h/db", f"postgresql://u:{MASK}@h/db"),
        ("?to=nats%3A%2F%2Froy%3Ahunter2%40host%2F&x=1", f"?to=nats%3A%2F%2Froy%3A{MASK}%40host%2F&x=1"),
        ("host=h password=a,b;c&d user=u", f"host=h password={MASK} user=u"),
        ("{password: abc, user: u}", f"{{password: {MASK}, user: u}}"),
        ("?password=abc&sslmode=off", f"?password={MASK}&sslmode=off"),
        ("password: correct horse battery\nnext: x", f"password: {MASK}\nnext: x"),
        ("  12 │   db_password: correct horse # why", f"  12 │   db_password: {MASK} # why"),
        (f"AWS_SECRET_ACCESS_KEY={KEY} {AWS}.", f"AWS_SECRET_ACCESS_KEY={MASK} {MASK}."),
        ("SMTP_PASS=hunter2", f"SMTP_PASS={MASK}"),
        ("passphrase: 'open sesame'", f"passphrase: '{MASK}'"),
        ("Cookie: agog_session=1.ab.cd; x=1", f"Cookie: agog_session={MASK}; x=1"),
        ("found agogt_" + "a1B2-_" * 7, f"found {MASK}"),
        ("found ghp_" + "a1B2" * 9, f"found {MASK}"),
        ("found sk-proj-abc123def456ghi789", f"found {MASK}"),
        (f"is {PEM} it", f"is -----BEGIN PRIVATE KEY----- {MASK} -----END PRIVATE KEY----- it"),
        (json.dumps(PEM), json.dumps(f"-----BEGIN PRIVATE KEY----- {MASK} -----END PRIVATE KEY-----")),
        (ENDLESS, f"-----BEGIN EC PRIVATE KEY----- {MASK}\nand more"),
        (SIGNED + "\nargo.workflow.general.status", MASK + "\nargo.workflow.general.status"),
        *((_wrapped(SIGNED, width, indent), MASK) for width in (34, 47, 60, 77) for indent in ("", "    ", " │ ")),
        *((_wrapped(SEED, width, indent), MASK) for width in (20, 33) for indent in ("", "    ", " │ ")),
    ],
)
def test_further_forms(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "Nats-Msg-Id: 01HZX3V5Q9T8B7N6M5K4J3H2G1 digest=9f86d081884c7d659a2feaa0c55ad015",
        "argo.workflow.prod.billing.5f1f0c3e-58d0-4a65-9a1f-0d4e2a7c9b11.agent.roy.message",
        "eyJtZXNzYWdlX2lkIjoiYSIsImNvbnRlbnQiOiJoZWxsbyJ9",  # a payload in base64
        "tests_pass: 12 PASS: 3 bypass=1", "primary_key: id of it", "the bucket key: a b c",
        "task-12345678901234567890",
        "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----",
        "a -----BEGIN PRIVATE KEY----- header says that a key follows".replace("PRIVATE", "PUBLIC"),
        "SHOUTED\nWORDS\nIN\nLINES", "SUBJECTS AND STREAMS IN CAPITALS ARE NO SEEDS HOWEVER LONG THEY MAY BE",
        "spool: 3 kept, bytes: 200, passed: 7",
    ],
)  # fmt: skip
def test_ordinary_text_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    ["", "tokens: 200", "http://127.0.0.1:8222/varz", "postgresql://u@host/db", "see http://h:80/a and mail a@b.c",
     "http://h:8080/p?x=a@b", "the password is asked for", "Basic understanding",
     "SUBJECT agog.deliverables.roy.backend.x",
     "spawn_savings: 95%, notice tokens=3"],
)  # fmt: skip
def test_everything_else_stays(text: str) -> None:
    assert mask(text) == text


REFERENCES = (
    "password: ${DB_PASSWORD}", "PGPASSWORD=$PGPASSWORD psql", "password = getpass()",
    'password = os.environ["PGPASSWORD"]', "password: str = Field(min_length=12)", "access_token: string",
    "secret: bool", '{"access_token": {"type": "string"}, "password": null}', "if (password == confirmed) {",
    "password=None", "def login(user: str, password: str) -> Token:", "const accessToken = useAuth().token;",
    "api_key: required",
)  # fmt: skip


@pytest.mark.parametrize("text", REFERENCES)
def test_what_stands_for_a_secret_or_tells_its_kind_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "password: ${X:-Zq7Xw9}", "password=$Zq7Xw9", "password=nullZq7Xw9", "password=true-Zq7Xw9",
        "password=${A}Zq7Xw9", "password==Zq7Xw9", "password: str-Zq7Xw9", "password: trueZq7Xw9 horse",
        "password=none!Zq7Xw9", "password: {Zq7Xw9}", "secret: get(Zq7Xw9)", '{"password": {"password": "Zq7Xw9"}}',
    ],
)  # fmt: skip
def test_what_only_looks_so_is_masked(text: str) -> None:
    assert "Zq7Xw9" not in mask(text)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/@ \t\n\r\x0b\x0c"), min_size=4, max_size=20)
)
def test_no_password_of_a_url_survives(password: str) -> None:
    if not any(character.isspace() for character in password) and password not in f"nats://user:{MASK}@host":
        assert password not in mask(f"nats://user:{password}@host")


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a://",
        "password=",
        'password="',
        "Bearer ",
        "nats://a:",
        "eyJaaaaaaaaaaaa.",
        "-",
        "secret \n",
        "SUAAAAAAAA\n",
        "-----BEGIN PRIVATE KEY-----\n",
        "eyJaaaaaaaaaaaa.eyJaaaaaaaaaa.a\n",
        "password: a ",
        "password=,",
        "xoxb-",
        "%3A%2F%2Fa%3A%40",
        "a://b:c/",
        "password: |\n a\n",
        "name: password ",
        "password: [a",
        "cookie: a=b; ",
        "curl -u a",
        "password\x1b[0m",
        "aToken",
        "https://a1",
        "--a-password ",
        "<password>",
        "?a_token=",
        "the key=1 ",
        "password: ${A:?",
        "secret\t",
        "a_key: x\n",
        "secret={",
    ],
)
def test_time_grows_with_the_length_and_not_with_its_square(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        begin = time.process_time()
        mask(text)
        return time.process_time() - begin

    assert seconds(400_000) < 32 * max(seconds(50_000), 0.01)


def test_what_a_program_was_given_as_a_secret_is_hidden_wherever_it_prints_it() -> None:
    secrets = known_secrets({
        "PGPASSWORD": "s3cret-of-postgres", "DB_PASSWORD": "s3cret-of-postgres-and-more",
        "GITHUB_TOKEN": "postgresdatabase", "ADMIN_PASSWORD": "short-1", "SMTP_PASSWORD": "123456789012",
        "PATH": "/usr/bin:/usr/local/bin",
    })  # fmt: skip
    assert secrets >= {"s3cret-of-postgres", "s3cret-of-postgres-and-more"}
    assert "short-1" in secrets
    assert not secrets & {"postgresdatabase", "123456789012", "/usr/bin:/usr/local/bin"}
    assert hide(b"s3cret-of-postgres-and-more; s3cret-of-postgres: \xff", secrets) == b"****; ****: \xff"


@pytest.mark.parametrize("secret", ["hunter2", "p@sswd", "Zq7Xw9", "aBcDeFgH"])
@pytest.mark.parametrize("name", ["PGPASSWORD", "AGOG_HTTP_TOKEN", "NATS_PASSWORD", "DATABASE_URL"])
def test_a_short_one_is_hidden_where_it_stands_for_itself(secret: str, name: str) -> None:
    value = f"postgresql://roy:{quote(secret, safe='')}@db/agog" if name == "DATABASE_URL" else secret
    secrets = known_secrets({name: value})
    assert hide(f"is {secret}, '{secret}' x={secret}\n{secret}".encode(), secrets) == b"is ****, '****' x=****\n****"
    inside = f"x{secret}1 {secret}-1 a{secret}".encode()
    assert hide(inside, secrets) == inside


@pytest.mark.parametrize(
    "word", ["postgres", "agog", "secret", "backend", "my-stack", "x1y2", "a/b.md", "Password", "ADMIN"]
)
def test_a_secret_that_could_stand_in_any_text_hides_none(word: str) -> None:
    assert not known_secrets({"PGPASSWORD": word, "DATABASE_URL": f"postgresql://roy:{word}@db/agog"})


GIVEN = 'p1 a/b"c@\u00e9-long'


@pytest.mark.parametrize(
    "printed",
    [
        GIVEN, json.dumps({"x": GIVEN}), json.dumps({"x": GIVEN}, ensure_ascii=False), quote(GIVEN, safe=""),
        quote(GIVEN), base64.b64encode(GIVEN.encode()).decode(), base64.urlsafe_b64encode(GIVEN.encode()).decode(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["PGPASSWORD", "DATABASE_URL"])
def test_what_was_given_is_hidden_in_each_form_that_it_travels_in(printed: str, name: str) -> None:
    value = GIVEN if name == "PGPASSWORD" else f"postgresql://roy:{quote(GIVEN, safe='')}@db/agog"
    hidden = hide(f"before {printed} after".encode(), known_secrets({name: value})).decode()
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    for word in ("-long", "p1", printed[:12]):
        assert word not in hidden


def test_a_key_in_the_environment_is_hidden_line_by_line() -> None:
    assert hide(PEM.splitlines()[1].encode(), known_secrets({"TLS_PRIVATE_KEY": PEM})) == MASK.encode()
    assert hide(PEM.splitlines()[0].encode(), known_secrets({"TLS_PRIVATE_KEY": PEM})) == PEM.splitlines()[0].encode()


W = "Zq7Xw9Kd2Lm"
FORMS = (
    f"postgresql://u:{W}/x@h/db", f"postgresql:\\/\\/u:{W}@h\\/db", f"postgresql:\\u002f\\u002fu:{W}@h",
    f"https://{W}{W}@github.com/a/b.git", f"Authorization: {W}", f"Cookie: sid={W}", f"set-cookie: s={W}; Path=/",
    f"--db-password {W}", f"--api-key {W}", f"--nats-password={W}", f"--password '{W} b'", f'["--password", "{W}"]',
    f"curl -u user:{W} http://h", json.dumps({"pass": W}), json.dumps({"sessionToken": W}), f"PASS={W}",
    json.dumps({"password": ["x", W]}), f"password=>'{W}'", f'password := "{W}"', f"password=b'{W}'",
    f"password=SecretStr('{W}')", f"<password>{W}</password>", f'<input name="password" value="{W}">',
    f"password: >\n  {W}\nnext: 1", f"password: |-\n  {W}\n  {W}", f"password:\n  {W}\n", f"password: !secret {W}",
    f"- name: DB_PASSWORD\n  value: {W}", json.dumps({"name": "DB_PASSWORD", "value": W}), f"nats_pass={W}",
    json.dumps(json.dumps({"name": "DB_PASSWORD", "value": W})), f"password\x1b[0m=\x1b[32m{W}\x1b[0m",
    f"\x1b[34mpassword\x1b[0m: {W}", json.dumps(f"\x1b[34mpassword\x1b[0m: {W}"), f"?token={W}", f"x?a=1&sig={W}",
    f"AccountKey={W}{W}==", f"npm_{W * 3}", f"hvs.{W * 3}", f"sk_live_{W * 3}", f"AIza{W * 3}", f"SG.{W * 2}.{W * 3}",
    f"glrt-{W * 2}", f"dckr_pat_{W * 3}",
)  # fmt: skip


@pytest.mark.parametrize("text", FORMS)
def test_forms_met_in_the_wild(text: str) -> None:
    masked = mask(text)
    assert W not in masked
    assert mask(masked) == masked
    assert may_hold_secret(text)


@pytest.mark.parametrize("text", [SEED, JWT, f"ghp_{'a1B2' * 9}"])
def test_the_escaped_end_of_a_line_before_it_saves_no_secret(text: str) -> None:
    assert mask(json.dumps(f"first\n{text}\nlast")) == json.dumps(f"first\n{MASK}\nlast")


@pytest.mark.parametrize(
    "text",
    [
        "InvalidToken: a part cannot stand in a subject.", "if not secret:\n    return early", "password:\n  - a: b",
        "secrets:\n  db_password:\n    file: ./secrets/agents_db_password.txt", "primary_key => 'id'",
        "secretKeyRef:\n  name: agog\n  key: dsn", "docker run -u 1000:1000 image", "PWD=/root/project1",
        '{"name": "PATH", "value": "/usr/bin1"}', "http://host:8080/a@b", "http://[::1]:8080/x/y@z", "passes: |\n  all",
        "https://first.name2024@example.com/", "pass: step2of3done", "design=aaaaaaaa", "Cookie: a=1; b=2",
        "--token 1000",
    ],
)  # fmt: skip
def test_what_resembles_them_stays(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("token=abcdef0123456789abcdef", "abcdef0123456789abcdef"),
        ('{"token": "abcdef0123456789"}', "abcdef0123456789"),
        ("GET http://h/x?token=a1b2c3d4e5f6a7b8&n=1", "a1b2c3d4e5f6a7b8"),
        ("Authorization: Token abcdef0123456789", "abcdef0123456789"),
        ("psql --password hunter2abc -h db", "hunter2abc"),
        ("tool --token=s3cr3tvalue", "s3cr3tvalue"),
    ],
)
def test_tokens_and_options(text: str, secret: str) -> None:
    assert secret not in mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "tokens=84640 of 1000000", '{"tokens": 8000}', "token: agog", "max_tokens=120000", "a token of 12 characters",
        "agog up --token-file tokens", '{"token": 1234567890123456}', "--password -h",
    ],
)  # fmt: skip
def test_what_only_speaks_of_tokens_stays(text: str) -> None:
    assert mask(text) == text
