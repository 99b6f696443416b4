"""`deploy/nats/nats.conf` as the users of the contract make it. Run it to write the file anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from pytest_agog.security.issuing import ACCOUNT
from pytest_agog.wire.streams import SERVER_MAX_PAYLOAD
from pytest_agog.wire.users import USERS, User

FILE: Final = Path(__file__).parents[3] / "deploy/nats/nats.conf"
_HEAD: Final = f"""\
# NATS of compose.yaml. Passwords come from its environment. What each user may do is that of pytest_agog/wire/users.py;
# `python -m tests.deploy.nats.rendering` writes this file.
server_name: agog
listen: "0.0.0.0:4222"
http: "0.0.0.0:8222"
max_payload: {SERVER_MAX_PAYLOAD}
max_pending: {8 * SERVER_MAX_PAYLOAD}

jetstream {{
  store_dir: "/data"
}}

accounts {{
  {ACCOUNT} {{
    jetstream: enabled
    users: [
"""


def password_variable(user: User) -> str:
    """The variable of the environment that holds the user's password."""
    return f"NATS_{user.name.upper()}_PASSWORD"


def rendered() -> str:
    """The whole file."""
    return _HEAD + "".join(_user(user) for user in USERS) + "    ]\n  }\n}\n"


def _user(user: User) -> str:
    return (
        f"      # {user.purpose}\n"
        f"      {{user: {user.name}, password: ${password_variable(user)}, permissions: {{\n"
        f"        publish: {{allow: [{_subjects(user.publish)}]}}\n"
        f"        subscribe: {{allow: [{_subjects(user.subscribe)}]}}\n"
        "      }}\n"
    )


def _subjects(subjects: tuple[str, ...]) -> str:
    if len(subjects) == 1:
        return json.dumps(subjects[0])
    return "\n" + "".join(f"          {json.dumps(subject)}\n" for subject in subjects) + "        "


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
