from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.reference.comms.pages.urls import Place, read

ODD = ["general", "run", "list", "latest", "messages", "summary", ".", "..", "...", "a/b", "/", "a/../b", "%2e%2e",
       "%", "a%2Fb", "a b", "ä/ö", "日本", "a?b=c#d", "a\\b", "x/messages", "x/messages/7", "run/summary", "<script>",
       "'\"&", "\u202eabc", "\x7f", "a\nb", "😀" * 50]  # fmt: skip


def back(url: str) -> tuple[Place, list[str]] | None:
    parts = urlsplit(url)
    return read(parts.path.encode("ascii"), parts.query.encode("ascii"))


@pytest.mark.parametrize("run_id", ODD)
@pytest.mark.parametrize("below", [[], ["messages"], ["messages", "7"], ["summary"]])
def test_an_address_leads_back_to_its_run(run_id: str, below: list[str]) -> None:
    place = Place(run_id)
    assert back(place.url(*below)) == (place, below)


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_an_id(run_id: str) -> None:
    place = Place(run_id)
    url = place.url("messages", query={"part": "attributes"})
    assert url.isascii()
    assert not set(url) & set("<>\"' \\")
    segments = urlsplit(url).path.split("/")
    assert not {".", "..", ""} & set(segments[1:])
    assert back(url) == (place, ["messages"])


def test_the_global_channel_is_no_run() -> None:
    assert back("/agents/general") == (Place(None), [])
    assert back("/agents/general/messages") == (Place(None), ["messages"])
    assert back(Place("general").url()) == (Place("general"), [])
    assert Place(None).selector.general
    assert Place("general").selector.run_id == "general"


def test_what_people_type_is_understood() -> None:
    assert back("/agents/nightly/2026-11-20") == (Place("nightly/2026-11-20"), [])
    assert back("/agents/a%2Fmessages") == (Place("a/messages"), [])
    assert back("/agents/run") == (Place("run"), [])
    assert read(b"/agents/%FF", b"") == (Place("\ufffd"), [])
    assert read(b"/agents/%00", b"") is None


@pytest.mark.parametrize("run_id", ODD)
def test_events_are_asked_for_by_the_whole_id(run_id: str) -> None:
    parts = urlsplit(Place(run_id).events)
    assert parts.path == "/api/agents/events"
    assert parse_qs(parts.query)["runId"] == [run_id]
