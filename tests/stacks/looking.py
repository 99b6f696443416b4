"""Compose files as people write them, judged."""

from __future__ import annotations

import textwrap

from pytest_agog.stacks.judging import Judged, judge


def look(text: str, name: str = "compose.yaml") -> Judged:
    return judge([(name, textwrap.dedent(text))])


def service(body: str, **others: str) -> str:
    """A file with the service `one`, and others with an image each."""
    lines = ["services:", "  one:", textwrap.indent(textwrap.dedent(body).strip(), "    ")]
    for name, image in others.items():
        lines += [f"  {name}:", f"    image: {image}"]
    return "\n".join(lines) + "\n"
