"""Variables, the environment, and the matrix."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest

HEAD = "agog: 1\nname: s\n"


def payload(desk: Any, variables: str, value: str, **more: Any) -> Any:
    """What `json: VALUE` becomes."""
    scenario = desk.one(f"{HEAD}vars: {variables}\nsteps:\n  - publish: {{subject: a, json: {value}}}\n", **more)
    return scenario.steps[0].arguments.json_


@pytest.mark.parametrize(
    ("variables", "value", "expected"),
    [
        ("{n: 3}", "'${n}'", 3),
        ("{n: true}", "['${n}', '<${n}>']", [True, "<true>"]),
        ("{n: {a: [1]}}", "'${n}'", {"a": [1]}),
        ("{n: {a: [1]}}", "'x ${n}'", 'x {"a": [1]}'),
        ("{n: null}", "['${n}', '${n}!']", [None, "null!"]),
        ("{n: 1.5, m: text}", "'${n}-${m}'", "1.5-text"),
        ("{n: 1}", "'$${n}'", "${n}"),
        ("{n: 1}", "'a $${n} ${n} $n $ {n}'", "a ${n} 1 $n $ {n}"),
        ("{n: 1}", "{'${n}': '${n}'}", {"${n}": 1}),
        ("{a: '${b}', b: '${c}', c: [1]}", "'${a}'", [1]),
        ("{a: '<${b}>', b: '$${c}', c: 1}", "'${a}'", "<${c}>"),
        ("{a: {b: '${c}'}, c: 7}", "'${a}'", {"b": 7}),
        ("{a-b: 1, _c: 2}", "['${a-b}', '${_c}']", [1, 2]),
    ],
)
def test_values(desk: Any, variables: str, value: str, expected: Any) -> None:
    assert payload(desk, variables, value) == expected


def test_the_environment_is_read_once_and_never_again(desk: Any) -> None:
    environment = {"USER_NAME": "${n}", "N": "3"}
    assert payload(desk, "{n: 1}", "['${env:USER_NAME}', 'x${env:N}']", environment=environment) == ["${n}", "x3"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("summary: ${feture}\nvars: {feature: 1}", "3:10: unknown variable 'feture'; did you mean 'feature'?"),
        ("summary: a ${x} and ${y}", "3:12: unknown variable 'x'|3:21: unknown variable 'y'"),
        ("summary: ${env:NOPE_X}", "3:10: the environment has no variable 'NOPE_X'"),
        ("summary: ${HOME}", "3:10: unknown variable 'HOME'; did you mean '${env:HOME}'?"),
        ("summary: 'oops ${'", "3:16: `${` without a name and `}`"),
        ("summary: ${}", "3:10: '${}' names no variable"),
        ("summary: ${a.b}", "3:10: '${a.b}' names no variable"),
        ("vars: {a: '${b}', b: '${a}'}\nsummary: ${a}", "3:23: variables refer to one another in a circle: a → b → a"),
        ("vars: {a: '${a}'}", "3:12: variables refer to one another in a circle: a → a"),
        ("vars: {a: '${nope}'}", "3:12: unknown variable 'nope'"),
        ("vars: {a b: 1}", "3:8: 'a b' is no variable name"),
        ("vars: [1]", "3:7: expected a mapping, not a list"),
        ("matrix: {a: 3}", "3:13: expected a list, not 3"),
        ("matrix: {a: []}", "3:13: must not be empty (at least 1)"),
    ],
)
def test_problems(desk: Any, text: str, expected: str) -> None:
    assert desk.wrong(f"{HEAD}{text}\n", environment={"HOME": "/root"}) == expected.split("|")


def test_one_unknown_variable_is_one_problem(desk: Any) -> None:
    """Not a second one about its type, nor where a variable that needs it is used."""
    text = f"{HEAD}vars: {{n: '${{m}}'}}\nsteps:\n  - publish: {{subject: a, text: x, times: '${{n}}'}}\n"
    assert desk.wrong(text) == ["3:12: unknown variable 'm'"]
    text = f"{HEAD}steps:\n  - publish: {{subject: a, text: x, times: ${{n}}}}\n"
    assert desk.wrong(text.replace("${n}", '"${n}"')) == ["4:44: unknown variable 'n'"]


def test_names_and_ids_are_never_substituted(desk: Any) -> None:
    text = (
        "agog: 1\nname: ${n}\nvars: {n: x}\nproof:\n"
        "  - {id: '${n}', claim: '${n}', check: never, with: {subject: '${n}'}}\n"
    )
    assert desk.wrong(text) == [
        "2:7: '${n}': names and ids are never substituted",
        "5:10: '${n}': names and ids are never substituted",
    ]


def test_a_secret_of_the_environment_is_in_no_message(desk: Any) -> None:
    text = f"{HEAD}steps:\n  - publish: {{subject: a, text: x, times: '${{env:API_TOKEN}}'}}\n"
    (told,) = desk.wrong(text, environment={"API_TOKEN": "tr0ub4dor"})
    assert told == "4:43: expected a whole number, not '****'"


def test_a_bomb_of_variables_is_refused_quickly(desk: Any) -> None:
    began = time.perf_counter()
    for row in ("['${%s}', '${%s}', '${%s}']", "'${%s}${%s}${%s}'"):
        names = [f"v{n}" for n in range(30)]
        lines = [f"  {name}: {row % (before, before, before)}" for before, name in itertools.pairwise(names)]
        text = "\n".join([HEAD + "summary: '${v29}'\nvars:", "  v0: some text", *lines, ""])
        (told,) = desk.wrong(text)
        assert "more than" in told
    deep = "\n".join([HEAD + "vars:", "  v0: x", *(f"  v{n}: ['${{v{n - 1}}}']" for n in range(1, 5000)), ""])
    assert any("nested more than 100 levels deep" in line for line in desk.wrong(deep))
    chain = "\n".join([HEAD + "vars:", "  v0: x", *(f"  v{n}: '${{v{n - 1}}}'" for n in reversed(range(1, 5000))), ""])
    assert any("nested more than 100 levels deep" in line for line in desk.wrong(chain))
    assert time.perf_counter() - began < 4


def test_a_matrix_makes_one_run_per_combination(desk: Any) -> None:
    scenarios = desk.load(
        f"{HEAD}matrix: {{size: [small, large], n: [1, 2]}}\nvars: {{both: '${{size}}/${{n}}'}}\nsummary: ${{both}}\n"
    )
    assert [s.suffix for s in scenarios] == ["small-1", "small-2", "large-1", "large-2"]
    assert [s.summary for s in scenarios] == ["small/1", "small/2", "large/1", "large/2"]
    assert scenarios[3].variables == {"both": "large/2", "size": "large", "n": 2}
    assert scenarios[3].title == "s[large-2]"


def test_suffixes_can_stand_in_test_ids_and_differ(desk: Any) -> None:
    text = f"{HEAD}matrix: {{v: ['a b', 'a/b', 'a[1]::x', '', {{k: 1}}, ü, 1, '1', true, 0.5, ~]}}\nsummary: ${{v}}!\n"
    suffixes = [s.suffix for s in desk.load(text)]
    assert suffixes == ["a_b", "a_b_2", "a_1_x", "empty", "k_1", "empty_2", "1", "1_2", "true", "0.5", "null"]


def test_a_matrix_value_wins_over_a_variable(desk: Any) -> None:
    assert desk.one(f"{HEAD}vars: {{v: 1}}\nmatrix: {{v: [2]}}\nsummary: ${{v}}!\n").summary == "2!"


def test_a_matrix_of_too_many_runs_is_refused(desk: Any) -> None:
    names = ", ".join(f"m{n}: [1,2,3,4,5,6,7,8,9,10]" for n in range(9))
    began = time.perf_counter()
    assert desk.wrong(f"{HEAD}matrix: {{{names}}}\n") == [
        "3:1: the matrix makes too many runs; a file of this size may have 1000"
    ]
    assert time.perf_counter() - began < 1


def test_what_is_wrong_in_every_run_is_told_once(desk: Any) -> None:
    assert desk.wrong(f"{HEAD}matrix: {{v: [1, 2, 3]}}\nsumary: ${{v}}\n") == [
        "4:1: unknown key 'sumary'; did you mean 'summary'?"
    ]
