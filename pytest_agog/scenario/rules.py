"""Rules that a type cannot say: agents that exist, subjects, files within the data roots, payloads."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping as MappingABC
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from pytest_agog.scenario import model
from pytest_agog.scenario.data_files import DataRoots, NotFound
from pytest_agog.scenario.problems import Problems
from pytest_agog.scenario.reading.nodes import Mapping, Node, Scalar, Sequence, locate
from pytest_agog.scenario.reading.source import Place
from pytest_agog.scenario.shape import A_BLOCK
from pytest_agog.scenario.walking import leaves
from pytest_agog.scenario.words import did_you_mean, listed, shown
from pytest_agog.values import DataFolderPath, DataPath
from pytest_agog.wire import subjects

_IN_INSTANCES: Final = ("comms", "orchestrator", "listener")
"""Components that may run several times."""
_PAYLOADS: Final = ("json", "text", "base64", "file")
_MARKS_WITH_A_MEANING: Final = frozenset({
    "skip", "skipif", "xfail", "parametrize", "usefixtures", "filterwarnings", "tryfirst", "trylast",
    "asyncio", "anyio", "xdist_group", "and", "or", "not", "True", "False", "None",
})  # fmt: skip
_HEADER_NAME: Final = re.compile(r"[!-9;-~]+")
_SUBJECT_RULE: Final = "tokens joined by dots, without white space; `*` stands for one token, a final `>` for the rest"


def check_texts(part: BaseModel, node: Node, roots: DataRoots, files: dict[str, Path], problems: Problems) -> None:
    """Data files exist within the roots (they are added to `files`), and subjects are subjects."""
    for leaf in leaves(part):
        if not isinstance(leaf.value, str):
            continue
        place = locate(node, leaf.path).place
        if problems.is_spoilt(place):
            continue
        if isinstance(leaf.value, DataPath):
            if leaf.value not in files:
                try:
                    folder = isinstance(leaf.value, DataFolderPath)
                    files[str(leaf.value)] = roots.find(leaf.value, folder=folder)
                except NotFound as error:
                    problems.add(place, error.message, error.hint)
        elif leaf.field in {"subject", "subjects"}:
            publishes = isinstance(leaf.owner, model.Publish)
            if subjects.is_valid(leaf.value, wildcards=not publishes):
                continue
            if publishes and subjects.is_valid(leaf.value, wildcards=True):
                problems.add(place, f"{shown(leaf.value)} has a wildcard; a message goes to one subject")
            else:
                hint = A_BLOCK if place.is_block else _SUBJECT_RULE
                problems.add(place, f"{shown(leaf.value)} is no subject", hint)


def check_agent(agent: model.Agent, node: Node, problems: Problems) -> None:
    """An agent is scripted or a command, not both."""
    given = agent.model_fields_set
    if agent.run is None or not isinstance(node, Mapping):
        return
    for key, what in (("report", "its report"), ("prints", "what it prints"), ("notice", "its notice")):
        if key in given and getattr(agent, key):
            problems.add(
                node.entries[key].key,
                f"an agent with `run` makes {what} itself, so `{key}` would do nothing",
                f"give `run` or `{key}`, not both",
            )


def check_chain(chain: Node, known: frozenset[str], problems: Problems) -> None:
    """Every agent of a chain exists, and what is fetched was published before. Other shapes are passed over."""
    earlier: list[str] = []
    turns = locate(chain, ("turns",)).node
    for turn in turns.items if isinstance(turns, Sequence) and turns is not chain else ():
        entries = turn.entries if isinstance(turn, Mapping) else {}
        fetches = entries["fetches"].value if "fetches" in entries else None
        for fetch in fetches.items if isinstance(fetches, Sequence) else ():
            _check_fetch(fetch, earlier, known, problems)
        agent = entries["agent"].value if "agent" in entries else None
        if isinstance(agent, Scalar) and isinstance(agent.value, str):
            _known_agent(agent.value, agent, known, problems)
            earlier.append(agent.value)


def _check_fetch(fetch: Node, earlier: list[str], known: frozenset[str], problems: Problems) -> None:
    if not isinstance(fetch, Scalar) or not isinstance(fetch.value, str):
        return
    agent, hash_, heading = fetch.value.partition("#")
    if hash_ and not heading.strip():
        problems.add(fetch.place, f"{shown(fetch.value)} names no heading", "write `agent` or `agent#Heading`")
    elif _known_agent(agent, fetch, known, problems) and agent not in earlier:
        problems.add(
            fetch.place,
            f"{shown(agent)} has no turn before this in the chain, so there is nothing to fetch",
            f"earlier turns: {listed(dict.fromkeys(earlier))}" if earlier else "this is the first turn",
        )


def _known_agent(name: str, node: Node, known: frozenset[str], problems: Problems) -> bool:
    if name in known:
        return True
    if not problems.is_spoilt(node.place):
        problems.add(
            node.place,
            f"unknown agent {shown(name)}{did_you_mean(name, known)}",
            f"known: {listed(sorted(known))}; `agents:` declares more",
        )
    return False


def check_publish(publish: model.Publish, node: Node, problems: Problems) -> None:
    """A message has one payload, and headers that NATS takes."""
    if not isinstance(node, Mapping):
        return
    # Asked of the file, not of the model: that lacks fields which are wrong in themselves.
    kinds = [
        key for key in _PAYLOADS if key in node.entries and (key == "json" or not _is_null(node.entries[key].value))
    ]
    if not kinds:
        problems.add(node.place, "the message has no payload", f"give one of {listed(_PAYLOADS)}")
    elif len(kinds) > 1:
        second = max((node.entries[kind] for kind in kinds), key=lambda entry: entry.key.start)
        problems.add(second.key, f"the message has several payloads: {listed(kinds)}", "give one of them")
    if publish.base64 is not None:
        try:
            base64.b64decode("".join(publish.base64.split()), validate=True)
        except (binascii.Error, ValueError):
            problems.add(locate(node, ("base64",)).place, f"{shown(publish.base64)} is no base64")
    for name, value in publish.headers.items():
        found = locate(node, ("headers", name))
        if not _HEADER_NAME.fullmatch(name):
            problems.add(
                found.key or found.place, f"{shown(name)} is no header name", "no spaces, no colon, ASCII only"
            )
        elif "\r" in value or "\n" in value:
            problems.add(found.place, "a header's value is one line")


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def check_server(
    step: model.Kill | model.Restart, node: Node, services: model.Services | None, problems: Problems
) -> None:
    """A server that is named exists."""
    if step.server is None or services is None:
        return
    place = locate(node, ("server",)).place
    if step.component in _IN_INSTANCES:
        check_instance(step.server, place, services, problems, step.component)
    elif step.component != "nats":
        problems.add(place, f"{step.component} is one server, so none can be named")
    elif step.server > services.nats.servers:
        problems.add(
            place,
            f"there is no server {step.server}: this scenario runs {services.nats.servers}",
            "services: {nats: {servers: 3}} makes a cluster",
        )


def check_instance(
    number: int, place: Place, services: model.Services | None, problems: Problems, component: str = "comms"
) -> None:
    """The instance of a component that a step names exists."""
    if services is None:
        return  # what is wrong with them is told already
    wanted = getattr(services, component)
    instances = wanted.instances if wanted is not None else 1
    if number > instances:
        problems.add(
            place,
            f"there is no instance {number} of {component}: this scenario runs {instances}",
            f"services: {{{component}: {{instances: {number}}}}} runs more",
        )


def check_tags(tags: Node | None, problems: Problems) -> None:
    """No tag means something else to pytest: a mark that skips, or a word of `-m`."""
    for tag in tags.items if isinstance(tags, Sequence) else ():
        if isinstance(tag, Scalar) and tag.value in _MARKS_WITH_A_MEANING:
            problems.add(
                tag.place, f"{shown(tag.value)} has a meaning of its own in pytest", "give the tag another name"
            )


def check_ids(proof: Node | None, problems: Problems) -> None:
    """Ids of claims are unique, and none is that of the play."""
    seen: dict[str, int] = {}
    for entry in proof.items if isinstance(proof, Sequence) else ():
        identity = entry.entries["id"].value if isinstance(entry, Mapping) and "id" in entry.entries else None
        if not isinstance(identity, Scalar) or not isinstance(identity.value, str):
            continue
        if identity.value == "play":
            problems.add(identity.place, "'play' is the id of the play itself", "give the claim another id")
        if identity.value in seen:
            problems.add(
                identity.place,
                f"the id {shown(identity.value)} stands here twice",
                f"it stands in line {seen[identity.value]} already; each claim has its own",
            )
        else:
            seen[identity.value] = identity.place.position.line


def check_variable_names(root: Mapping, pattern: re.Pattern[str], problems: Problems) -> None:
    """Names of variables can be written as `${name}`."""
    for section in ("vars", "matrix"):
        entry = root.entries.get(section)
        names: MappingABC[str, object] = (
            entry.value.entries if entry is not None and isinstance(entry.value, Mapping) else {}
        )
        for name in names:
            if not pattern.fullmatch(name):
                place = locate(root, (section, name)).key or root.place
                problems.add(
                    place,
                    f"{shown(name)} is no variable name",
                    "letters, digits, - and _, beginning with a letter or _",
                )
