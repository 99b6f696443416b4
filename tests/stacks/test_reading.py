"""Reading compose files: forms, several files, and files that are none."""

from __future__ import annotations

import json
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agog.errors import AgogError
from pytest_agog.stacks import interpolation
from pytest_agog.stacks.judging import judge
from pytest_agog.stacks.layering import stacks
from pytest_agog.stacks.model import Service
from pytest_agog.stacks.reading import read
from pytest_agog.stacks.tree import ComposeUnreadable
from pytest_agog.stacks.words import repository, words


def one(body: str) -> Service:
    return read("compose.yaml", f"services:\n  one:\n{textwrap.indent(textwrap.dedent(body), '    ')}").services["one"]


def test_lists_and_mappings_are_the_same() -> None:
    listed = one("image: x\nenvironment: [A=1, B]\ndepends_on: [c]\nnetworks: [n]\ncommand: [a, b c]\n")
    mapped = one('image: x\nenvironment: {A: 1, B: }\ndepends_on: {c: {}}\nnetworks: {n: }\ncommand: a "b c"\n')
    for made in (listed, mapped):
        assert [(each.name, each.value) for each in made.environment] == [("A", "1"), ("B", None)]
        assert [(each.name, each.condition) for each in made.depends_on] == [("c", "")]
        assert [each.text for each in made.networks] == ["n"]
        assert made.command == ("a", "b c")


@pytest.mark.parametrize(
    ("entry", "kind", "source", "target", "read_only"),
    [
        ("./a:/b", "bind", "./a", "/b", False),
        ("data:/b:ro", "volume", "data", "/b", True),
        ("/b", "volume", "", "/b", False),
        (r"C:\a:/b", "bind", r"C:\a", "/b", False),
        ("C:/a:/b:ro,z", "bind", "C:/a", "/b", True),
        ("~/a:/b", "bind", "~/a", "/b", False),
        ("${HERE:-./a}:/b", "bind", "./a", "/b", False),
        ("{type: bind, source: a, target: /b, read_only: true}", "bind", "a", "/b", True),
        ("{type: tmpfs, target: /b}", "tmpfs", "", "/b", False),
    ],
)
def test_mounts(entry: str, kind: str, source: str, target: str, read_only: bool) -> None:
    text = entry if entry.startswith("{") else f"'{entry}'"
    (mount,) = one(f"image: x\nvolumes: [{text}]\n").mounts
    assert (mount.type, mount.source, mount.target, mount.read_only) == (kind, source, target, read_only)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("a", "a"),
        ("${A}", interpolation.HOLE),
        ("$A-b", f"{interpolation.HOLE}-b"),
        ("${A:-b}", "b"),
        ("${A-b}", "b"),
        ("${A:-${B:-c}}", "c"),
        ("${A:?missing}", interpolation.HOLE),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
    ],
)
def test_variables(text: str, resolved: str) -> None:
    assert interpolation.resolve(text) == resolved


def test_anchors_and_merge_keys() -> None:
    text = """\
    x-base: &base
      image: mine
      environment: &env {A: 1}
    services:
      one:
        <<: *base
        environment:
          <<: [*env, {B: 2}]
          C: 3
      two: {<<: *base, image: other}
    """
    made = read("compose.yaml", textwrap.dedent(text)).services
    assert [each.name for each in made["one"].environment] == ["C", "A", "B"]
    assert made["one"].image is not None
    assert made["one"].image.text == "mine"
    assert made["two"].image is not None
    assert made["two"].image.text == "other"


def test_an_override_lies_on_top() -> None:
    base = "services:\n  one: {image: a, ports: ['1:1']}\n"
    over = "services:\n  one: {ports: ['2:2'], environment: {A: b}}\n"
    for order in (
        [("compose.yaml", base), ("compose.override.yaml", over)],
        [("compose.override.yaml", over), ("compose.yaml", base)],
    ):
        (made,) = stacks(order)
        assert [port.first for port in made.services["one"].ports] == [1, 2]
        assert made.services["one"].ports[1].said.file == "compose.override.yaml"


def test_lists_and_mappings_lie_on_top_of_each_other() -> None:
    base = "services:\n  one: {image: a, depends_on: [x, y], environment: [A=1, B=2]}\n"
    over = "services:\n  one: {depends_on: {x: {condition: service_healthy}}, environment: {A: 3}}\n"
    (made,) = stacks([("compose.yaml", base), ("compose.override.yaml", over)])
    assert [(one.name, one.condition) for one in made.services["one"].depends_on] == [
        ("x", "service_healthy"),
        ("y", ""),
    ]
    assert [(one.name, one.value) for one in made.services["one"].environment] == [("A", "3"), ("B", "2")]


def test_an_override_takes_the_place_of_a_mount() -> None:
    base = "services:\n  one: {image: a, volumes: ['./a:/app', 'data:/b']}\nvolumes: {data: }\n"
    over = "services:\n  one: {volumes: ['./c:/app']}\n"
    (made,) = stacks([("compose.yaml", base), ("compose.override.yaml", over)])
    assert [one.source for one in made.services["one"].mounts] == ["data", "./c"]


def test_what_an_override_hides_still_stands_in_the_file() -> None:
    base = "services:\n  one:\n    image: a\n    environment: {DB_PASSWORD: Qm4x9Zt2}\n"
    over = "services:\n  one: {environment: {DB_PASSWORD: '${DB_PASSWORD}'}}\n"
    judged = judge([("compose.yaml", base), ("compose.override.yaml", over)])
    assert [(one.rule, one.file, one.line) for one in judged.findings] == [("secret-in-file", "compose.yaml", 4)]


def test_lines_of_what_is_inherited_belong_to_its_file() -> None:
    base = """\
    # a line more
    # and another
    services:
      base:
        image: postgres:16
        healthcheck:
          interval: 5s
          disable: true
    """
    text = """\
    services:
      db: {extends: {file: base.yaml, service: base}}
      one: {image: x, depends_on: {db: {condition: service_healthy}}}
    """
    judged = judge([("compose.yaml", textwrap.dedent(text)), ("base.yaml", textwrap.dedent(base))])
    assert [(one.rule, one.file, one.line) for one in judged.findings] == [("healthcheck-missing", "base.yaml", 6)]


def test_extends_is_followed_where_it_is_given() -> None:
    base = "services:\n  base: {image: 'postgres:16', depends_on: [x]}\n"
    text = "services:\n  one: {extends: {file: base.yaml, service: base}, ports: ['1:1']}\n"
    made = next(stack for stack in stacks([("a/compose.yaml", text), ("a/base.yaml", base)]) if "one" in stack.services)
    assert made.services["one"].image is not None
    assert made.services["one"].image.text == "postgres:16"
    assert made.services["one"].depends_on == ()
    (alone,) = stacks([("a/compose.yaml", text)])
    assert alone.partial


def test_what_includes_others_may_use_their_names() -> None:
    text = "include: [infra.yaml]\nservices:\n  one: {image: x, depends_on: {db: {condition: service_healthy}}}\n"
    assert judge([("compose.yaml", text)]).findings == ()
    infra = "services:\n  db: {image: x}\n"
    assert judge([("compose.yaml", text), ("infra.yaml", infra)]).findings == ()


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "empty"),
        ("a: b\n", 1, "no `services:`"),
        ("- a\n", 1, "holds no keys"),
        ("services:\n  - a\n", 1, "mapping of names"),
        ("services:\n", 1, "no services"),
        ("services:\n  a: b\n", 2, "no mapping"),
        ("services:\n  a: {image: x\n", 3, "not valid YAML"),
        ("services:\n  a: *nowhere\n", 2, "anchor"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("services: " + "[" * 100, 1, "nested"),
        ("# \u00e9\nservices:\n  a: \0\n", 3, "control characters"),
    ],
)
def test_files_that_are_none(text: str, line: int, reason: str) -> None:
    with pytest.raises(ComposeUnreadable, match=reason) as caught:
        read("x.yaml", text)
    assert str(caught.value).startswith(f"x.yaml:{line}: ")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{chr(98 + at)}: &{chr(98 + at)} [{', '.join([f'*{chr(97 + at)}'] * 10)}]" for at in range(8)]
    with pytest.raises(ComposeUnreadable, match="values"):
        read("x.yaml", "\n".join(lines))


def test_the_oldest_form_is_read_and_noted() -> None:
    judged = judge([("compose.yml", "web:\n  build: .\n  links: [db]\ndb:\n  image: mine\n")])
    assert judged.findings == ()
    assert [note.rule for note in judged.notes] == ["legacy-form"]


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("nats", ("nats", "latest")),
        ("docker.io/library/nats:2", ("nats", "2")),
        ("localhost:5000/a/b:c", ("a/b", "c")),
        ("ghcr.io/a/b@sha256:0", ("a/b", "")),
    ],
)
def test_images(image: str, found: tuple[str, str]) -> None:
    assert repository(image) == found


def test_words_of_names() -> None:
    assert words("agogsaas_agents-nats.dataStore") == ["agogsaas", "agents", "nats", "data", "store"]


def refused(files: list[tuple[str, str]]) -> str:
    """Why files are refused; empty when they are judged."""
    try:
        judge(files)
    except AgogError as error:
        return str(error)
    return ""


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    assert "\n" not in refused([("x.yaml", text)])


_SCALARS = st.sampled_from(["a", "1", "true", "", "${A:-b}", "8080:80", "nats:2", "./a:/b", "CMD", "x=y", "node"])
_KEYS = st.sampled_from([
    "image", "build", "ports", "volumes", "environment", "depends_on", "healthcheck", "test", "command", "networks",
    "extends", "profiles", "container_name", "tmpfs", "develop", "service", "file", "condition", "source", "target",
    "type",
])  # fmt: skip
_TREES = st.recursive(
    _SCALARS | st.none() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
)


@given(
    st.dictionaries(
        st.sampled_from(["one", "nats", "db"]), st.dictionaries(_KEYS, _TREES, max_size=6), min_size=1, max_size=3
    )
)
def test_any_shape_of_services_is_judged(services: dict[str, object]) -> None:
    text = json.dumps({"services": services, "volumes": {"a": None}})
    assert "\n" not in refused([("compose.agents.yaml", text), ("compose.app.yaml", text)])
