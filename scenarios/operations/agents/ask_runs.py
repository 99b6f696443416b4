"""Asks agent comms for its runs, with the token of the environment, until there is one; exits 1 when it is refused."""

import os
import sys
import time
import urllib.error
import urllib.request

request = urllib.request.Request(f"{os.environ['AGOG_COMMS_URL']}/api/agents/runs")
if token := os.environ.get("AGOG_HTTP_TOKEN"):
    request.add_header("Authorization", f"Bearer {token}")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
until = time.monotonic() + 20
while True:
    try:
        with opener.open(request, timeout=5) as answer:
            said = answer.read().decode()
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.code} {error.read().decode()}")
    if "run_id" in said or time.monotonic() > until:
        break
    time.sleep(0.05)
print(said)
