from __future__ import annotations

import pytest

from pytest_agog.reference.orchestrator.planning.routing import matter, route
from pytest_agog.reference.orchestrator.planning.routing_table import FILES, WORDS, forms
from tests.reference.orchestrator.planning.making import need

ALONE = [(lane, phrase) for lane, phrases in WORDS.items() for phrase in phrases]
FORMS = sorted({(lane, " ".join(form)) for lane, phrase in ALONE for form in forms(phrase)} - set(ALONE))


def lane(title: str, **given: object) -> str | None:
    return route(need("REQ-1", title, **given)).lane


@pytest.mark.parametrize(("expected", "phrase"), [*ALONE, *FORMS])
@pytest.mark.parametrize("change", [str, str.upper, str.lower, str.title])
def test_every_word_of_the_table_routes_alone(expected: str, phrase: str, change: type[str]) -> None:
    decided = route(need("REQ-1", f"Do: {change(phrase)}."))
    assert decided.lane == expected
    assert decided.agent is not None


def test_the_agents_are_those_of_the_seed() -> None:
    agents = {lane: route(need("REQ-1", phrase)).agent for lane, phrase in ALONE}
    assert agents == {
        "backend": "roy", "frontend": "jen", "database": "database", "documentation": "documentation",
        "review": "review", "release": "release",
    }  # fmt: skip


@pytest.mark.parametrize(
    "title",
    ["Capital", "rapid growth", "formulas", "reviewer of pages_old", "eventually stable", "homepage", "tableau",
     "lot_events", "serviceable", "reacts quickly", "REQ-API-7 goes on", "see https://example.org/api/form"],
)  # fmt: skip
def test_parts_of_words_ids_and_addresses_do_not_count(title: str) -> None:
    decided = route(need("REQ-1", title))
    assert (decided.lane, decided.agent) == (None, None)
    assert decided.reasons


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Write API docs", "documentation"),
        ("API-docs and README", "documentation"),
        ("Material UI theme", "frontend"),
        ("indices", "database"),
        ("Speed up database queries", "backend"),
        ("**API** and _endpoint_", "backend"),
        ("alter\ntable", "database"),
    ],
)
def test_a_phrase_hides_the_words_inside_it(title: str, expected: str) -> None:
    assert lane(title) == expected


def test_a_phrase_does_not_reach_across_a_comma() -> None:
    assert lane("Think of the user, guide him") is None


def test_distinct_matches_count_and_repeats_do_not() -> None:
    assert lane("API API APIs page form") == "frontend"
    assert lane("An API endpoint, shown on a page") == "backend"


def test_a_tie_of_words_goes_to_a_human_with_the_reasons() -> None:
    decided = route(need("REQ-1", "An API and a page"))
    assert decided.lane is None
    assert decided.reasons[0] == "as many words of backend as of frontend"
    assert "words of backend: API" in decided.reasons
    assert decided.matter == {"backend", "frontend"}


def test_prose_and_acceptance_criteria_count() -> None:
    assert lane("Do it", text="An endpoint.") == "backend"
    assert lane("Do it", acceptance=("The form opens",)) == "frontend"


@pytest.mark.parametrize(("expected", "prefix"), [(lane, one) for lane, some in FILES.items() for one in some])
@pytest.mark.parametrize("shape", ["{}", "./{}", "/{}", "{}\\"])
def test_every_prefix_routes_alone(expected: str, prefix: str, shape: str) -> None:
    file = f"{prefix}sub/x.ts" if prefix.endswith("/") else prefix
    file = file.replace("/", "\\") if shape.endswith("\\") else shape.format(file)
    assert lane("Nothing in particular", files=(file,)) == expected


def test_the_longest_prefix_wins() -> None:
    assert lane("x", files=("src/db/pool.ts",)) == "backend"
    assert lane("x", files=("src/db/migrations/1.sql",)) == "database"
    assert lane("x", files=("src/db/migrations",)) == "database"
    assert lane("x", files=("src/apis/x.ts",)) is None
    assert lane("x", files=("README.md.bak",)) is None


def test_files_outrank_words_and_their_majority_decides() -> None:
    assert lane("API endpoint GraphQL service", files=("src/pages/a.tsx",)) == "frontend"
    assert lane("x", files=("src/pages/a.tsx", "src/api/a.ts", "src/api/b.ts")) == "backend"
    assert lane("x", files=("tests/a.ts", "tests/b.ts", "src/api/a.ts")) == "backend"
    assert lane("An API", files=("tests/a.ts",)) == "backend"


def test_a_tie_of_files_goes_to_a_human_whatever_the_words_say() -> None:
    decided = route(need("REQ-1", "API endpoint", files=("src/pages/a.tsx", "src/api/a.ts")))
    assert decided.lane is None
    assert decided.reasons[0] == "as many files of backend as of frontend"


@pytest.mark.parametrize(
    ("agent", "expected"),
    [("roy", ("backend", "roy")), ("frontend", ("frontend", "jen")), ("cynthia", ("research", "cynthia")),
     ("review", ("review", "review")), ("zoe", ("zoe", "zoe"))],
)  # fmt: skip
def test_a_stated_agent_wins(agent: str, expected: tuple[str, str]) -> None:
    decided = route(need("REQ-1", "A page", agent=agent, files=("docs/x.md",)))
    assert (decided.lane, decided.agent) == expected


def test_matter_is_what_text_and_files_touch() -> None:
    both = need("REQ-1", "An endpoint and its page", files=("src/db/migrations/1.sql",))
    assert matter(both) == {"backend", "frontend", "database"}
    assert matter(need("REQ-1", "Nothing")) == frozenset()
