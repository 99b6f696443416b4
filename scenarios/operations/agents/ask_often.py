"""Asks agent comms for a path so many times, and prints the status of each answer."""

import os
import sys
import urllib.error
import urllib.request

times, path = int(sys.argv[1]), sys.argv[2]
request = urllib.request.Request(os.environ["AGOG_COMMS_URL"] + path)
request.add_header("Authorization", f"Bearer {os.environ['AGOG_HTTP_TOKEN']}")
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for _ in range(times):
    try:
        with opener.open(request, timeout=5) as answer:
            print(answer.status)
    except urllib.error.HTTPError as error:
        wait = error.headers["Retry-After"]
        print(error.code, "Retry-After", wait if path != "/api/agents/runs" else "later")
