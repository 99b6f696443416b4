"""A scripted agent, as the host listener runs it: `python -I -S scripted_agent.py PLAN [COMMAND…]`.

It stands alone, on the standard library, so that it starts quickly. It leaves its report in
`$AGENT_OUTPUT_DIR/deliverables/` for the listener to publish, and prints its notice. With a command it only decides
whether this spawn is one that the scenario wants to go wrong, and becomes the command otherwise.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOODS: dict[str, dict[str, Any]] = {
    "blocks": {"status": "BLOCKED", "blockers": ["Blocked, as the scenario says."]},
    "rejects": {"critique_verdict": "REJECTED", "blockers": ["Rejected, as the scenario says."]},
}
"""Fields of the notices of spawns that the scenario wants to end so."""


def main() -> int:
    """Act once; returns the exit status."""
    plan = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    mood = mood_of(plan, _count(plan["spawns"]))
    if mood == "fails":
        sys.stderr.write(f"this spawn fails, as the scenario says (the first {plan['fails']} do)\n")
        return 1
    while mood == "hangs":
        signal.pause()
    if mood is None and (command := sys.argv[2:]):
        program = sys.executable if command[0] in ("python", "python3") else command[0]
        os.execvp(program, command)  # noqa: S606 - the scenario's own command, and no shell
    asked = json.load(sys.stdin)
    report = Path(os.environ["AGENT_OUTPUT_DIR"], "deliverables", "report.md")
    report.write_bytes(_report(plan, asked).encode("utf-8"))
    sys.stdout.write(_output(plan, MOODS.get(mood or "", {})))
    return 0


def mood_of(plan: Mapping[str, Any], spawn: int) -> str | None:
    """What the scenario wants of this spawn, counted from 1; None when nothing in particular."""
    for mood in ("fails", "hangs", "blocks", "rejects"):
        if spawn <= plan[mood]:
            return mood
        spawn -= plan[mood]
    return None


def _count(path: str) -> int:
    """The number of this spawn, counted over all listeners that share the play."""
    with Path(path).open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(".")
        file.flush()
        return file.tell()


def _report(plan: dict[str, Any], asked: dict[str, Any]) -> str:
    report = plan["report"]
    if "text" in report:
        return str(report["text"])
    if "path" in report:
        return Path(report["path"]).read_bytes().decode("utf-8")
    agent, task, work = os.environ["AGOG_AGENT"], os.environ["AGOG_TASK"], os.environ["AGOG_REQUIREMENT"]
    attempt = os.environ.get("AGOG_ATTEMPT", "1")
    title = asked.get("title") or (asked.get("contextData") or {}).get("title") or work
    return (
        f"# {task.capitalize()}: {work}\n\n{agent} worked on {work} ({title}), attempt {attempt}.\n\n"
        "## Result\n\nNothing stands in the way of the next step.\n"
    )


def _output(plan: dict[str, Any], mood: dict[str, Any]) -> str:
    subject = os.environ["AGOG_SUBJECT"]
    known = {
        "agent": os.environ["AGOG_AGENT"], "task": os.environ["AGOG_TASK"], "feature": os.environ["AGOG_FEATURE"],
        "url": f"nats://{subject}", "subject": subject,
    }  # fmt: skip
    fields = {
        "agent": known["agent"], "req_number": os.environ["AGOG_REQUIREMENT"], "status": "COMPLETE",
        "deliverable": known["url"], "summary": f"{known['task'].capitalize()} of {known['feature']} is done.",
        **plan["notice"], **mood,
    }  # fmt: skip
    notice = json.dumps(fields)
    if plan["prints"] is None:
        return notice + "\n"
    known |= {**plan["variables"], "notice": notice}
    return re.sub(
        r"\$\$(?=\{)|\$\{([A-Za-z_][A-Za-z0-9_-]*)\}",
        lambda found: "$" if found[1] is None else known.get(found[1], found[0]),
        Path(plan["prints"]).read_bytes().decode("utf-8"),
    )


if __name__ == "__main__":
    sys.exit(main())
