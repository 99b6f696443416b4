from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_agog.report.annotations import annotation, github_annotations
from pytest_agog.report.text import clean, one_line
from tests.report.builders import claim, judged, play, views
from tests.report.conftest import Snapshot

ON_GITHUB = {"GITHUB_ACTIONS": "true"}


def test_every_finding_points_at_its_line(file: Path, snapshot: Snapshot) -> None:
    snapshot("annotations.txt", "\n".join(github_annotations(views(file), environ=ON_GITHUB)) + "\n")


def test_outside_github_there_are_none(file: Path) -> None:
    assert github_annotations(views(file), environ={}) == []


def parsed(line: str) -> tuple[dict[str, str], str]:
    """A workflow command as GitHub's runner reads it."""
    match = re.fullmatch(r"::error (.*?)::(.*)", line)
    assert match is not None
    properties = dict(part.split("=", 1) for part in match[1].split(","))

    def decoded(text: str) -> str:
        for code, sign in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            text = text.replace(code, sign)
        return text

    return {key: decoded(value) for key, value in properties.items()}, decoded(match[2])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(alphabet=st.characters()) | st.text(alphabet=st.sampled_from(":,%=\r\n a0D")))
def test_any_text_survives_and_breaks_nothing(file: Path, text: str) -> None:
    check = views(file, [play("a", file, (judged(claim("a", "b", file), "failed"),))])[0].checks[0]
    check = dataclasses.replace(
        check, claim=text, observed=text, place=dataclasses.replace(check.place, file=text, end_column=9)
    )
    properties, message = parsed(annotation(check, text))
    assert properties["file"] == clean(text)
    assert properties["line"] == "7"
    assert properties["endColumn"] == "9"
    assert properties["title"] == f"{one_line(text)}: {one_line(text)}"
    assert message == f"expected exactly 1 message\nobserved {clean(text)}"
