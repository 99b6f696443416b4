"""`deploy/nats/nats.conf` as the users of the contract make it. Run it to write the file anew."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pytest_agog.security import api_guard
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
"""
_GUARD: Final = (
    "# Requests to JetStream count only when a client has sent them itself: pytest_agog/security/api_guard.py says how."
)


def password_variable(user: User) -> str:
    """The variable of the environment that holds the user's password."""
    return f"NATS_{user.name.upper()}_PASSWORD"


def rendered() -> str:
    """The whole file."""
    ours, theirs = api_guard.account(), api_guard.servers()
    parts = [
        _HEAD,
        f"  {_GUARD}\n",
        f"  {json.dumps(api_guard.SERVERS)}: {{\n    exports: {_list(theirs['exports'])}\n  }}\n",
        f"  {ACCOUNT} {{\n    jetstream: enabled\n",
        f"    imports: {_list(ours['imports'])}\n",
        "    mappings: {\n",
        *(f"      {json.dumps(source)}: {json.dumps(to)}\n" for source, to in ours["mappings"].items()),
        "    }\n    users: [\n",
        *(_user(user) for user in USERS),
        "    ]\n  }\n}\n",
    ]
    return "".join(parts)


def _list(items: list[dict[str, Any]]) -> str:
    return "[\n" + "".join(f"      {json.dumps(item)}\n" for item in items) + "    ]"


def _user(user: User) -> str:
    return (
        f"      # {user.purpose}\n"
        f"      {{user: {user.name}, password: ${password_variable(user)}, permissions: {{\n"
        f"        publish: {{allow: [{_subjects(api_guard.permitted(user.publish))}]}}\n"
        f"        subscribe: {{allow: [{_subjects(user.subscribe)}]}}\n"
        "      }}\n"
    )


def _subjects(subjects: Sequence[str]) -> str:
    if len(subjects) == 1:
        return json.dumps(subjects[0])
    return "\n" + "".join(f"          {json.dumps(subject)}\n" for subject in subjects) + "        "


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
