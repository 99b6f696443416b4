"""The step `submit`: work for the orchestrator, as `agog submit` and people with a roadmap would give it. [O1]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pytest_agog.ledger.facts import ComponentActed
from pytest_agog.play.context import PlayContext, StepFailed
from pytest_agog.play.verbs.publishing import play_publish
from pytest_agog.scenario.model import Publish
from pytest_agog.scenario.orchestrator_steps import Submit
from pytest_agog.scenario.scenario import Step
from pytest_agog.wire.orchestration import integration_subject

SUBJECT: Final = integration_subject("requirement", "orchestrator")
_MARKDOWN: Final = (".md", ".markdown")


async def play_submit(context: PlayContext, step: Step, submit: Submit) -> None:
    """Publish the requirements, or put the roadmap where the orchestrator reads it.

    Raises:
        StepFailed: the file cannot be read, or a requirement was not acknowledged.
    """
    if submit.file is not None and submit.file.lower().endswith(_MARKDOWN):
        _place(context, submit.file)
        return
    for requirement in [submit.requirement] if submit.file is None else _read(context, submit.file):
        publish = Publish.model_validate({"subject": SUBJECT, "json": requirement})
        await play_publish(context, step, publish)


def _read(context: PlayContext, file: str) -> list[Any]:
    try:
        found = json.loads(context.file(file).read_bytes())
    except OSError as error:
        raise StepFailed(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StepFailed(f"{file} is no JSON: {error}; a roadmap's name ends in .md") from None
    return found if isinstance(found, list) else [found]


def _place(context: PlayContext, file: str) -> None:
    """The roadmap is a copy: the orchestrator writes to it, and the check `roadmap` looks at it."""
    target: Path = context.stage.roadmap_copy(file)
    try:
        data = context.file(file).read_bytes()
        made = target.with_name(f".{target.name}.new")
        made.write_bytes(data)
        made.replace(target)
    except OSError as error:
        raise StepFailed(f"{file} cannot be copied to the play: {error.strerror}") from None
    context.ledger.append(ComponentActed("roadmap", "started", file))
