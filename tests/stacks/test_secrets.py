"""Secrets in compose files: in variables, addresses, commands and healthchecks; what is none, and what is a note."""

from __future__ import annotations

import pytest

from tests.stacks.looking import look, service


@pytest.mark.parametrize(
    ("entry", "severity"),
    [
        ("POSTGRES_PASSWORD: postgres", "finding"),
        ("POSTGRES_PASSWORD: 1234", "finding"),
        ("JWT_SECRET: a-long-one", "finding"),
        ("OPENAI_API_KEY: sk-0123", "finding"),
        ("DATABASE_URL: postgres://me:mine@db/x", "finding"),
        ("REDIS_URL: redis://:mine@redis:6379", "finding"),
        ("CONNECTION: Server=db;User=sa;Password=Your_1;", "finding"),
        ("ANYTHING: ghp_0123456789abcdefghijABCDEFGHIJ012345", "finding"),
        ("DB_PASSWORD: ${DB_PASSWORD:-Qm4x9Zt2}", "finding"),
        ("DB_PASSWORD: ${DB_PASSWORD:-changeme}", "note"),
        ("DB_PASSWORD: ${DB_PASSWORD:-postgres}", "note"),
        ("DATABASE_URL: postgres://${U:-me}:${P:-your-password}@db/x", "note"),
        ("POSTGRES_PASSWORD: ${POSTGRES_PASSWORD}", ""),
        ("POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?set it}", ""),
        ("POSTGRES_PASSWORD: $POSTGRES_PASSWORD", ""),
        ("POSTGRES_PASSWORD:", ""),
        ('POSTGRES_PASSWORD: ""', ""),
        ("POSTGRES_PASSWORD_FILE: /run/secrets/db", ""),
        ("MYSQL_ALLOW_EMPTY_PASSWORD: 'yes'", ""),
        ("MAX_TOKENS: 4096", ""),
        ("TOKEN_BUDGET: 250000", ""),
        ("JWT_EXPIRES_IN: 7d", ""),
        ("PUBLIC_KEY: abcdef", ""),
        ("DATABASE_URL: postgres://me@db/x", ""),
        ("DATABASE_URL: postgres://${USER}:${PASSWORD}@db/x", ""),
        ("API_URL: http://localhost:8080/a@b", ""),
        ("API_KEY: <your key>", ""),
        ("OPENAI_API_KEY: your_openai_api_key", "note"),
        ("POSTGRES_PASSWORD: your_password", "finding"),
        ("CLICKHOUSE_PASSWORD: mine", "finding"),
        ("USE_PASSWORD: mine", ""),
        ("SERVER_KEY: lYkiYYT6owG71oLerGzA7GXCgOT6ovaezWAjpCjfSjc3ZtUqUEi", "finding"),
        ("SERVER_KEY: the-name-of-a-key-that-stands-elsewhere", ""),
        ("NEO4J_AUTH: neo4j/mine", "finding"),
        ("NEO4J_AUTH: ${U:-neo4j}/${P:-password}", "note"),
        ("NEO4J_AUTH: neo4j/${P}", ""),
        ("NEO4J_AUTH: ${U:-neo4j}/${P:?set it}", ""),
        ("NEO4J_AUTH: none", ""),
        ("FLOWER_BASIC_AUTH: me:mine", "finding"),
        ("FLOWER_BASIC_AUTH: me:$$2y$$05$$abc", ""),
        ("DSN: host=db user=app password=mine dbname=x", "finding"),
        ("DSN: host=${H:-db} password='mine' dbname=x", "finding"),
        ("DSN: host=db user=app password=${P:-changeme} dbname=x", "note"),
        ("DSN: host=db user=app password=${P} dbname=x", ""),
        ("DSN: host=db user=app dbname=x", ""),
        ("DSN: root:mine@tcp(db:3306)/app", "finding"),
        ("DSN: ${U:-root}:${P:-changeme}@tcp(db:3306)/app", "note"),
        ("DSN: ${U}:${P}@tcp(db:3306)/app", ""),
        ("DSN: root@tcp(db:3306)/app", ""),
        ("""JAAS: 'Plain required username="me" password="mine";'""", "finding"),
        ("ALLOWED_KEYS: ${X:-WVF5YThaHlkYwhGUSmCRgsX3tD5ngdN8pkih}", "finding"),
        ("ALLOWED_KEYS: WVF5YThaHlkYwhGUSmCRgsX3tD5ngdN8pkih,QaHbTe77CtuXmsfyhR7vRjIXbV1AaFy691", "finding"),
        ("INNER_API_KEY_FOR_PLUGIN: QaHbTe77CtuXmsfyhR7vRjIXbV1AaFy691", "finding"),
        ("ALLOWED_KEYS: name,email", ""),
        ("DB_ENC_KEY: mine", "finding"),
        ("HOOK_SECRETS: v1,whsec_VGhpcyBpcyBhbiBleGFtcGxlIG9mIGEg", "finding"),
        ("REDIS_AUTH: mine", "finding"),
        ('REDIS_ARGS: "--requirepass mine"', "finding"),
        ('REDIS_ARGS: "--requirepass ${P}"', ""),
        ('REDIS_ARGS: "--appendonly yes"', ""),
        ("JAVA_OPTS: -Xmx1g -Djavax.net.ssl.keyStorePassword=mine", "finding"),
        ("POSTGRES_PASSWORD: trust", "finding"),
        ("POSTGRES_PASSWORD: on", "finding"),
        ("POSTGRES_PASSWORD: none", "finding"),
        ("POSTGRES_PASSWORD: /Ab3kd9Qx", "finding"),
        ("POSTGRES_PASSWORD: /run/secrets/Db1", ""),
        ("CHANGE_PASSWORD: on", ""),
        ("DB_PASSWORD: /secrets/Db1", ""),
        ("JWT_SECRET: ${JWT_SECRET:-YourSuperSecretKeyForJWT123!}", "finding"),
        ("JWT_SECRET: ${JWT_SECRET:-ChangeThisInProduction123!}", "note"),
        ("JWT_SECRET: ${JWT_SECRET:-your-secret-key}", "note"),
    ],
)
def test_secrets(entry: str, severity: str) -> None:
    judged = look(service(f"image: mine\nenvironment:\n  {entry}"))
    said = [one for one in (*judged.findings, *judged.notes) if one.rule == "secret-in-file"]
    assert [one.severity for one in said] == ([severity] if severity else [])
    assert all(one.line == 5 for one in said)


@pytest.mark.parametrize(
    ("command", "severity"),
    [
        ("redis-server --requirepass mine", "finding"),
        ('["redis-server", "--requirepass", "mine"]', "finding"),
        ("redis-server --requirepass ${REDIS_PASSWORD:-changeme}", "note"),
        ('["redis-server", "--requirepass", "${REDIS_PASSWORD:-changeme}"]', "note"),
        ("redis-server --requirepass ${REDIS_PASSWORD}", ""),
        ("redis-server --requirepass $$REDIS_PASSWORD", ""),
    ],
)
def test_secrets_in_commands(command: str, severity: str) -> None:
    judged = look(service(f"image: mine\ncommand: {command}"))
    assert [one.severity for one in (*judged.findings, *judged.notes)] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("test", "severity"),
    [
        ("mysqladmin ping -uroot -pmine", "finding"),
        ('["CMD", "mysqladmin", "ping", "-uroot", "-pmine"]', "finding"),
        ('["CMD", "mysqladmin", "ping", "-uroot", "-p${P:-changeme}"]', "note"),
        ('["CMD", "mysqladmin", "ping", "--password=mine"]', "finding"),
        ("mysqladmin ping -uroot -p$$MYSQL_ROOT_PASSWORD", ""),
        ('["CMD-SHELL", "mysqladmin ping -uroot -p\\"$$MYSQL_ROOT_PASSWORD\\""]', ""),
        ("mysqladmin ping -uroot -p${P}", ""),
        ("mysqladmin ping -h localhost --protocol=tcp -P 3306", ""),
        ("redis-cli -a mine ping", "finding"),
        ('["CMD", "redis-cli", "-a", "mine", "ping"]', "finding"),
        ('redis-cli -a "$$(cat /run/secrets/redis)" ping', ""),
        ("redis-cli -p 6379 ping", ""),
        ("PGPASSWORD=mine psql -c 'select 1'", "finding"),
        ("PGPASSWORD=$$POSTGRES_PASSWORD psql -c 'select 1'", ""),
        ("mongosh -u root -p mine --eval 'db.stats()'", "finding"),
        ("curl -f -u elastic:mine http://localhost:9200", "finding"),
        ("curl -f -A me:you http://localhost:9200", ""),
        ("mongosh mongodb://root:mine@localhost/ --eval 'db.stats()'", "finding"),
    ],
)
def test_secrets_in_healthchecks(test: str, severity: str) -> None:
    judged = look(service(f"image: mine\nhealthcheck:\n  test: {test}"))
    said = [one for one in (*judged.findings, *judged.notes) if one.rule == "secret-in-file"]
    assert [one.severity for one in said] == ([severity] if severity else [])
    assert all(one.line == 5 and "mine " not in one.text for one in said)


def test_a_secret_in_an_entrypoint() -> None:
    judged = look(service("image: mine\nentrypoint: redis-server --requirepass Qm4x9Zt2"))
    assert [one.rule for one in judged.findings] == ["secret-in-file"]


def test_a_secret_is_never_shown() -> None:
    judged = look(service("image: mine\nenvironment: [DB_PASSWORD=Qm4x9Zt2]\ncommand: x --requirepass Qm4x9Zt3"))
    assert len(judged.findings) == 2
    assert not any("Qm4x9Zt" in one.one_line for one in judged.findings)
