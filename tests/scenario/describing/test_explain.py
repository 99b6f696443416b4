"""What the words mean, for the terminal and for the reference page."""

from __future__ import annotations

import pytest
import yaml

from pytest_agog.errors import UnknownWord
from pytest_agog.play.vocabulary import vocabulary
from pytest_agog.scenario import model
from pytest_agog.scenario.describing.explain import as_text, explain, overview, type_in_words
from pytest_agog.scenario.describing.reference_page import reference_page
from pytest_agog.scenario.vocabulary import Vocabulary
from pytest_agog.values import Bound, DataFile, Duration, Size, Where


def test_a_check(words: Vocabulary) -> None:
    told = as_text(explain("message", words))
    assert told.startswith("check message\n  A message came\n")
    assert "  subject  text, required\n           Which messages." in told
    assert "  count    n\n" in told
    assert "Example:\n  - id: a\n    claim: b\n" in told
    assert "Faults that it rejects: comms.lose" in told


def test_a_step_with_what_stands_in_it(words: Vocabulary) -> None:
    told = as_text(explain("chain", words))
    assert "turns:  One agent's turn in a chain.\n  agent    name, required" in told
    assert "retries  whole number, default 0" in told


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("open", "  drop_after "),
        ("open", "  as        name, required"),
        ("backfill", "  dir "),
        ("cut", "  link  comms-nats or comms-postgres or reader-comms, required"),
        ("sse", "  latency_p99 "),
        ("page", "  no_script "),
        ("lag", "  pending_and_unacked "),
    ],
)
def test_the_words_of_agent_comms(word: str, told: str) -> None:
    found = as_text(explain(word, vocabulary()))
    assert told in found
    assert all(argument.meaning for part in explain(word, vocabulary()).sections for argument in part.arguments)


def test_the_format(words: Vocabulary) -> None:
    told = explain("format", words)
    assert [section.title for section in told.sections][:3] == ["Scenario", "services", "agents"]
    (nats,) = [section for section in told.sections if section.title == "nats"]
    arguments = {argument.name: argument for argument in nats.arguments}
    assert (arguments["max_payload"].type, arguments["max_payload"].default) == ("size", "12MB")
    assert (arguments["sync_interval"].type, arguments["sync_interval"].default) == ("always or duration", "2m")
    assert arguments["servers"].type == "1 or 3"
    assert all(a.meaning for section in told.sections for a in section.arguments)


def test_an_unknown_word(words: Vocabulary) -> None:
    with pytest.raises(UnknownWord, match=r"'mesage'; did you mean 'message'\? `agog explain` knows"):
        explain("mesage", words)


def test_types_in_words() -> None:
    for annotation, expected in (
        (Duration, "duration"), (Size | None, "size"), (Where, "mapping of dotted paths to patterns"), (Bound, "n"),
        (tuple[str, ...], "list of text"), (dict[str, list[int]], "mapping to list of whole number"),
        (DataFile | model.GeneratedReport | None, "path of a file or mapping"),
        (tuple[int, str], "[whole number, text]"),
    ):  # fmt: skip
        assert type_in_words(annotation) == expected


def test_the_overview_and_the_page_name_everything() -> None:
    words = vocabulary()
    page = reference_page(words)
    for name in [*words.checks, *words.steps]:
        assert name in overview(words)
        assert f"\n### {name}\n" in page
    tables = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {5}


def test_examples_of_all_words_are_yaml_and_name_their_word() -> None:
    words = vocabulary()
    for name, check in words.checks.items():
        assert yaml.safe_load(check.example), name
        assert name.removeprefix("tokens.") in check.example
    for verb, step in words.steps.items():
        ((found,),) = yaml.safe_load(step.example)
        assert found == verb
