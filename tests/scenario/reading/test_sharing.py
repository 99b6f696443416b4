"""`!include` and `extends`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

HEAD = "agog: 1\nname: s\n"


def test_an_include_stands_for_the_files_content(desk: Any) -> None:
    desk.write("{report: {generate: {tokens: 100}}}\n", "parts/cynthia.yaml")
    desk.write("- publish: {subject: a, json: !include data.yaml}\n", "parts/steps.yaml")
    desk.write("[1, '${n}']", "parts/data.yaml")
    scenario = desk.one(
        f"{HEAD}vars: {{n: 2}}\nagents: {{cynthia: !include parts/cynthia.yaml}}\nsteps: !include parts/steps.yaml\n"
    )
    assert scenario.agents["cynthia"].report.generate.tokens == 100
    assert scenario.steps[0].arguments.json_ == [1, 2]
    assert scenario.steps[0].position.file == desk.folder / "parts/steps.yaml"
    assert scenario.steps[0].position.line == 1


def test_problems_in_an_included_file_point_into_it(desk: Any) -> None:
    desk.write("cynthia: {fails: 1}\nsylvia: {fail: 1, report: '${x}'}\n", "agents.yaml")
    assert desk.wrong(f"{HEAD}agents: !include agents.yaml\n") == [
        "agents.yaml:2:10: unknown key 'fail'; did you mean 'fails'?",
        "agents.yaml:2:28: unknown variable 'x'",
    ]


def test_included_text_is_substituted_once(desk: Any) -> None:
    desk.write("'$${n} ${n}'", "text.yaml")
    scenario = desk.one(f"{HEAD}vars: {{n: '$${{n}}'}}\nsummary: !include text.yaml\n")
    assert scenario.summary == "${n} ${n}"


def test_extends_merges_mappings_and_replaces_the_rest(desk: Any) -> None:
    desk.write(
        "agog: 1\nname: base\ntags: [a, b]\nvars: {x: 1, y: 1}\nservices: {nats: {max_payload: 1MB, servers: 3}}\n"
        "proof:\n  - {id: p, claim: c, check: stream, with: {name: A}}\n",
        "base.yaml",
    )
    scenario = desk.one(
        "extends: base.yaml\nagog: 1\nname: s\ntags: [c]\nvars: {y: 2}\nservices: {nats: {max_payload: 2MB}}\n"
    )
    assert (scenario.name, scenario.tags, scenario.variables) == ("s", ("c",), {"x": 1, "y": 2})
    assert (scenario.services.nats.max_payload, scenario.services.nats.servers) == (2_000_000, 3)
    assert scenario.claims[0].position.file.name == "base.yaml"


def test_later_files_of_a_list_win_and_the_child_wins_over_all(desk: Any) -> None:
    desk.write("vars: {a: 1, b: 1, c: 1}\n", "one.yaml")
    desk.write("vars: {b: 2, c: 2}\nextends: [deep.yaml]\n", "parts/two.yaml")
    desk.write("vars: {a: 9, d: 9}\n", "parts/deep.yaml")
    scenario = desk.one(f"{HEAD}extends: [one.yaml, parts/two.yaml]\nvars: {{c: 3}}\n")
    assert scenario.variables == {"a": 9, "b": 2, "c": 3, "d": 9}


def test_wrong_shares(desk: Any, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside.yaml"
    outside.write_text("x: 1")
    desk.write("", "empty.yaml")
    desk.write("a: [1", "broken.yaml")
    desk.write("- 1", "list.yaml")
    desk.write("x: !include s.yaml", "circle.yaml")
    assert desk.wrong(f"{HEAD}summary: !include zzz.yaml\n") == ["3:10: there is no file 'zzz.yaml'"]
    assert desk.wrong(f"{HEAD}summary: !include empty.yml\n") == [
        "3:10: there is no file 'empty.yml'; did you mean 'empty.yaml'?"
    ]
    assert desk.wrong(f"{HEAD}summary: !include ../{outside.name}\n") == [
        f"3:10: '../{outside.name}' leaves the data root"
    ]
    assert desk.wrong(f"{HEAD}summary: !include {outside}\n")[0].startswith("3:10: '/")
    assert desk.wrong(f"{HEAD}summary: !include empty.yaml\n") == ["3:10: 'empty.yaml' is empty"]
    assert desk.wrong(f"{HEAD}summary: !include s.yaml\n") == [
        "3:10: 's.yaml' includes or extends itself, directly or through others"
    ]
    assert desk.wrong(f"{HEAD}vars: !include circle.yaml\n") == [
        "circle.yaml:1:4: 's.yaml' includes or extends itself, directly or through others"
    ]
    assert desk.wrong(f"{HEAD}extends: list.yaml\n") == ["3:10: 'list.yaml' holds no mapping, so nothing can extend it"]
    assert desk.wrong(f"{HEAD}extends: [3]\n") == ["3:10: expected a file, or a list of files, to extend"]
    assert desk.wrong(f"{HEAD}summary: !include broken.yaml\n")[0].startswith("broken.yaml:1:4: not valid YAML")


def test_an_include_in_the_scenarios_folder_is_not_read_through_a_link_out(desk: Any, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-secret"
    outside.write_text("secret")
    (tmp_path / "link.yaml").symlink_to(outside)
    assert desk.wrong(f"{HEAD}summary: !include link.yaml\n") == ["3:10: 'link.yaml' leaves the data root"]


def test_bombs_of_files_are_refused_quickly(desk: Any) -> None:
    began = time.perf_counter()
    for number in range(15):
        desk.write(
            f"[!include f{number + 1}.yaml, !include f{number + 1}.yaml, !include f{number + 1}.yaml]",
            f"f{number}.yaml",
        )
    desk.write("x", "f15.yaml")
    found = desk.wrong(f"{HEAD}vars: {{v: !include f0.yaml}}\n")
    assert "more than 300 times a file is included or extended" in found[0]
    desk.write("#" * 900_000 + "\nx", "long.yaml")
    found = desk.wrong(f"{HEAD}vars: [{'!include long.yaml,' * 9}]\n")
    assert "all files together have more than 4,000,000 characters" in found[0]
    for number in range(40):
        desk.write(f"!include g{number + 1}.yaml", f"g{number}.yaml")
    assert desk.wrong(f"{HEAD}summary: !include g0.yaml\n") == [
        "g15.yaml:1:1: more than 16 files include or extend one another in a row"
    ]
    for number in range(3):
        desk.write("[" * 60 + (f"!include h{number + 1}.yaml" if number < 2 else "x") + "]" * 60, f"h{number}.yaml")
    assert "nested more than 100 levels deep" in desk.wrong(f"{HEAD}vars: {{v: !include h0.yaml}}\n")[0]
    assert time.perf_counter() - began < 4
