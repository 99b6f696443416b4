"""Whether a part of the system works, for container healthchecks: needs Python alone.

health.py URL                  the URL answers with 200
health.py --connected NAME URL somebody whose name begins with NAME is connected to the NATS monitored at URL, from
                               an address of this container, and said something within the last seconds
"""

import json
import socket
import sys
import urllib.request
from datetime import datetime

PATIENCE = 3
# Listeners give a sign of life every three seconds; one that hangs keeps its connection for minutes.
SILENCE = 15


def get(url):
    """The body of a page that is there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=PATIENCE) as answer:
        if answer.status != 200:
            raise OSError(f"{url}: status {answer.status}")
        return answer.read()


def connected(name, url):
    """Raises OSError when there is no such connection."""
    mine = {found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None)}
    told = json.loads(get(f"{url}/connz?limit=1024"))
    silent = None
    for one in told["connections"]:
        if one.get("name", "").startswith(name) and one.get("ip") in mine:
            since = moment(told["now"]) - moment(one["last_activity"])
            if since.total_seconds() <= SILENCE:
                return
            silent = since
    if silent is not None:
        raise OSError(f"{name} is connected and has said nothing for {int(silent.total_seconds())} s")
    raise OSError(f"nobody named {name} is connected from {', '.join(sorted(mine))}")


def moment(text):
    """A time of NATS, to the second: `2026-01-31T10:00:00.123456789Z`."""
    return datetime.fromisoformat(text[:19])


def main(words):
    try:
        if words[0] == "--connected":
            connected(words[1], words[2])
        else:
            get(words[0])
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"unhealthy: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
