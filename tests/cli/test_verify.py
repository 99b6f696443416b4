"""`agog verify`: bundles of a real play, left as they are, altered in every part, cut, and made to hurt."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_agog.cli.plays import play_file
from pytest_agog.report.writer import write_bundle
from tests.cli.conftest import Agog

SCENARIO = """
agog: 1
name: two-hand-over
agents: {cynthia: {report: {generate: {tokens: 20000, seed: 1}}}}
steps:
  - chain:
      feature: search
      turns: [{agent: cynthia, task: research}, {agent: sylvia, task: critique, fetches: ["cynthia#Summary"]}]
tokens: {notice: {at_most: 200}}
proof:
  - {id: stored, claim: The research is stored, check: deliverable,
     with: {agent: cynthia, type: research, feature: search, tokens: {at_least: 19000}, digest: true}}
  - {id: quiet, claim: Nothing failed, check: never, with: {subject: errors.>}}
  - {id: nothing-inline, claim: No prompt carries a report, check: no_inline_report}
"""
FILES = ("ledger.jsonl", "payloads.jsonl", "meta.json", "manifest.json")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report folder with the bundle of one real play."""
    folder = tmp_path_factory.mktemp("verify")
    path = folder / "two.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return write_bundle(folder / "report", play_file(path, lambda _: None)).parent.parent


@pytest.fixture
def report(played: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(played, tmp_path / "a report"))


@pytest.fixture
def bundle(report: Path) -> Path:
    return report / "bundle" / "two-hand-over"


@pytest.mark.parametrize("place", [".", "bundle", "bundle/two-hand-over"])
def test_nothing_was_altered(agog: Agog, report: Path, place: str) -> None:
    done = agog("verify", report / place)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("as saved: two-hand-over (")
    assert ": 4 claims judged again on " in done.out
    assert done.out.count("\n") == 1


def test_json(agog: Agog, report: Path, bundle: Path) -> None:
    done = agog("verify", report, bundle, "--json")
    assert done.code == 0
    [told] = done.json["bundles"]
    assert done.json["ok"] is True
    assert told["path"] == str(bundle)
    assert (told["outcome"], told["judged"], told["altered"], told["differences"]) == ("as saved", 4, [], [])


def test_an_altered_line_of_the_ledger_is_named(agog: Agog, bundle: Path) -> None:
    ledger = bundle / "ledger.jsonl"
    lines = ledger.read_text(encoding="utf-8").splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines) if '"kind":"agent.handed"' in line)
    lines[number] = lines[number].replace('"section":"Summary"', '"section":"Risks"')
    ledger.write_text("".join(lines), encoding="utf-8")
    done = agog("verify", bundle)
    assert done.code == 1
    assert done.out.startswith("altered: two-hand-over")
    assert "- ledger.jsonl: the file was altered\n" in done.out
    assert f"- ledger.jsonl:{number + 1}: this line was altered" in done.out


def test_a_verdict_that_the_ledger_does_not_bear_out(agog: Agog, bundle: Path) -> None:
    meta = json.loads((bundle / "meta.json").read_text(encoding="utf-8"))
    [quiet] = [verdict for verdict in meta["verdicts"] if verdict["id"] == "quiet"]
    quiet["outcome"] = "failed"
    (bundle / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    done = agog("verify", bundle, "--json")
    assert done.code == 1
    [told] = done.json["bundles"]
    assert told["altered"] == ["meta.json: the file was altered"]
    assert [(d["claim"], d["what"], d["saved"], d["judged"]) for d in told["differences"]] == [
        ("quiet", "outcome", "failed", "passed")
    ]


def test_a_verdict_that_differs_though_all_digests_were_made_anew(agog: Agog, bundle: Path, tmp_path: Path) -> None:
    from pytest_agog.ledger import bundle as bundles

    read = bundles.read(bundle)
    read.meta["verdicts"][1]["observed"] = "nothing at all"
    bundles.write(tmp_path / "forged", read.ledger, read.meta)
    done = agog("verify", tmp_path / "forged")
    assert done.code == 1
    assert done.out.startswith("different: two-hand-over")
    assert "; 1 verdict differ" in done.out
    assert "- quiet: observed was saved as 'nothing at all'" in done.out


def test_an_altered_payload_is_named(agog: Agog, bundle: Path) -> None:
    large = min((bundle / "payloads").iterdir())
    large.write_bytes(large.read_bytes().replace(b"e", b"a", 1))
    done = agog("verify", bundle)
    assert done.code == 1
    assert f"- payloads/{large.name}: the file was altered\n" in done.out
    assert f"payload {large.name} was altered" in done.out
    assert "not judged again: it is about text that was altered, or of which" in done.out


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(agog: Agog, bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    done = agog("verify", bundle)
    assert (done.code, done.err) == (1, "")
    assert done.out.startswith("altered: ")
    assert name in done.out


def test_one_of_several(agog: Agog, report: Path, bundle: Path) -> None:
    other = shutil.copytree(bundle, report / "bundle" / "another")
    (other / "ledger.jsonl").write_bytes((other / "ledger.jsonl").read_bytes()[:-200])
    done = agog("verify", report)
    assert done.code == 1
    assert [line.split(":")[0] for line in done.out.splitlines() if not line.startswith("-")] == ["altered", "as saved"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda place: None, "does not exist"),
        (lambda place: place.mkdir(), "holds no bundle"),
        (lambda place: place.write_text("a file"), "is no folder"),
        (lambda place: (place / "bundle" / "x" / "y").mkdir(parents=True), "holds no bundle"),
    ],
)
def test_no_bundle_is_exit_2(agog: Agog, tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    place = tmp_path / "place"
    make(place)
    done = agog("verify", place)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"agog: {place} {reason}. Give a folder that `pytest --agog-report=DIR` wrote")
    assert agog("verify").code == 2


OTHER_FILES = b'{"agog": 1, "files": {"../../etc": 1}}'
DEEP = b"[" * 200_000
HOSTILE = [
    b"",
    b"[]",
    b"null",
    b"{}",
    b"\xff\xfe\x00",
    DEEP,
    b'{"agog": 99}',
    OTHER_FILES,
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_are_told_of(agog: Agog, bundle: Path, name: str, content: bytes) -> None:
    (bundle / name).write_bytes(content)
    done = agog("verify", bundle)
    assert (done.code, done.err) == (1, "")
    assert name in done.out or content == OTHER_FILES
    assert done.out.startswith("altered: ")


@pytest.mark.parametrize(
    "meta",
    [
        {"claims": 5, "verdicts": []},
        {"claims": [1], "verdicts": []},
        {"claims": [], "verdicts": {"id": "x"}},
        {"claims": [{"id": ["x"], "check": {}, "with": 3}], "verdicts": [{"id": ["x"], "outcome": None}]},
        {
            "scenario": "\ud800\x1b[31m::error::",
            "claims": [{"id": "a"}],
            "verdicts": [{"id": "a", "outcome": "\ud800"}],
        },
    ],
)
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_hostile_claims_are_told_of(agog: Agog, bundle: Path, meta: object, options: tuple[str, ...]) -> None:
    (bundle / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    done = agog("verify", bundle, *options)
    assert (done.code, done.err) == (1, "")
    assert "\x1b" not in done.out


def test_what_is_no_regular_file(agog: Agog, bundle: Path) -> None:
    (bundle / "meta.json").unlink()
    os.mkfifo(bundle / "meta.json")
    done = agog("verify", bundle)
    assert done.code == 1
    assert "meta.json: this is no regular file" in done.out


@pytest.mark.parametrize("seed", range(5))
def test_any_byte_that_changes_is_noticed(agog: Agog, played: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(8):
        bundle = Path(shutil.copytree(played / "bundle" / "two-hand-over", tmp_path / str(number)))
        path = bundle / chance.choice(FILES)
        data = bytearray(path.read_bytes())
        at = chance.randrange(len(data))
        if chance.random() < 0.5:
            data[at] ^= 1 << chance.randrange(8)
        else:
            del data[at:]
        path.write_bytes(data)
        done = agog("verify", bundle)
        assert (done.code, done.err) == (1, ""), (path.name, at)
