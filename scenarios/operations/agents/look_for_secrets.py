"""Runs commands and asks services that know secrets, and looks for these in everything that comes out; exits 1 if any
does. Which one it was is told by its name only."""

import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECRETS = {
    "password of NATS": "Kp7-of-nats",
    "password of Postgres": "Kp7@of/postgres",
    "quoted password": "Kp7 with spaces",
    "seed": "SUAKP7" + "B2C3D4E5F6G7" * 4 + "ABCD",
    "bearer token": "Kp7bearer0123456789abcdef",
    "named": "Kp7-named",
}
WRONG = f"""
agog: 1
name: wrong
services: {{nats: {{password: {SECRETS["named"]}}}}}
steps: [{{publish: {{subject: "nats://roy:{SECRETS["password of NATS"]}@host"}}}}]
proof: [{{id: x, claim: x, check: mesage, with: {{seed: {SECRETS["seed"]}}}}}]
"""
AWAY = "postgresql://agog:Kp7%40of%2Fpostgres@127.0.0.1:1/agog"


def output(*words: str, **environment: str) -> str:
    done = subprocess.run(
        ["agog", *words], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


def answer(url: str, token: str) -> str:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}", "Accept": "text/html, */*"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as found:
            return str(found.headers) + found.read().decode()
    except urllib.error.HTTPError as error:
        return str(error.headers) + error.read().decode()


def told() -> dict[str, str]:
    url = f"nats://roy:{SECRETS['password of NATS']}@127.0.0.1:1"
    quoted = f"host=127.0.0.1 port=1 user=agog password='{SECRETS['quoted password']}'"
    away = {"NATS_URL": url, "DATABASE_URL": AWAY, "AGOG_HTTP_TOKEN": SECRETS["bearer token"]}
    found = {
        "doctor": output("doctor", **away),
        "doctor, key and value": output("doctor", "--json", NATS_URL=url, DATABASE_URL=quoted),
        "serve": output("serve", "--patience", "300ms", **away),
        "publish": output("publish", "roy", "backend", "x", "--content", SECRETS["named"], **away),
    }
    with tempfile.TemporaryDirectory() as folder:
        wrong = Path(folder, "wrong.yaml")
        wrong.write_text(WRONG)
        found["lint"] = output("lint", str(wrong))
    for path in ("/metrics", "/readyz", "/agents", "/agents/run-7", "/api/agents/runs", "/sign-in", "/nowhere"):
        found[path] = answer(os.environ["AGOG_COMMS_URL"] + path, os.environ["AGOG_HTTP_TOKEN"])
        found[f"{path}, refused"] = answer(os.environ["AGOG_COMMS_URL"] + path, SECRETS["bearer token"])
    return found


def main() -> int:
    secrets = {**SECRETS, "the play's token": os.environ["AGOG_HTTP_TOKEN"]}
    if password := urlsplit(os.environ["DATABASE_URL"]).password:
        secrets["the play's password"] = unquote(password)
    texts = told()
    leaks = [
        f"{where}: {name}" for where, text in texts.items() for name, secret in secrets.items() if secret in text
    ]  # fmt: skip
    silent = [where for where, text in texts.items() if not text.strip()]
    print("\n".join(leaks + [f"{where}: said nothing" for where in silent]) or f"searched {len(texts)} texts: none")
    print("masked:", sum("****" in text for text in texts.values()) > 0)
    return 1 if leaks or silent else 0


sys.exit(main())
