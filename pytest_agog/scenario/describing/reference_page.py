"""The reference page of the format in Markdown, from the models and the vocabulary: docs and code cannot disagree."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agog.scenario.describing.explain import FORMAT, Explanation, Section, explain, explain_format
from pytest_agog.scenario.vocabulary import Vocabulary

_HEAD = """\
# Scenarios: reference

Made by `agog explain --all --markdown`; do not edit it by hand.

A scenario is one YAML file (1.2, core schema: `22:00`, `no` and `on` are text) with `agog: 1` at the top. Keys are
text. At most 1 MB and 100,000 values. `!include FILE` stands for a file's content, `extends: FILE` (or a list of files)
shares whole scenarios: mappings merge, everything else is replaced by what the extending file says.

`${name}` is a variable or matrix value, `${env:NAME}` a variable of the environment, `$${` the text `${` itself. As a
whole value it keeps its type; inside text it becomes text. Keys, `name` and the ids of claims are never substituted.

Types: a *duration* is `500ms`, `2s`, `30m`, `1h30m`, `7d`; a *size* `4096`, `10MB` (powers of ten), `5GiB` (powers of
two); a *percentage* `95%`; *n* a number or `{equals: 3}`, `{at_least: 3}`, `{at_most: 200}`, `{between: [1, 5]}`; a
*pattern* a value or `{matches: regex}`, `{contains: …}`, `{exists: true}`, `{one_of: […]}`, n. A *name* has letters,
digits, `-` and `_`. Paths are relative to the scenario, and lead into its folder, the `agog_data` folders or the
bundled fixtures.
"""


def reference_page(vocabulary: Vocabulary) -> str:
    """The whole page: the format, then every step, then every check."""
    parts = [_HEAD, "## The file\n", *_format(explain_format()), "## Steps\n"]
    for verb in vocabulary.steps:
        parts.append(markdown(explain(verb, vocabulary)))
    parts.append("## Checks\n\nAll take `within`, `holds_for` and `kills` beside their arguments.\n")
    for name in vocabulary.checks:
        parts.append(markdown(explain(name, vocabulary)))
    return "\n".join(parts).rstrip() + "\n"


def _format(explanation: Explanation) -> Iterator[str]:
    for number, section in enumerate(explanation.sections):
        if number:
            yield f"### {section.title}\n\n{_escaped(section.says)}\n"
        yield _table(section)


def markdown(explanation: Explanation) -> str:
    """One word as a section of the page."""
    if explanation.kind == FORMAT:
        return "\n".join(["## The file\n", *_format(explanation)])
    lines = [f"### {explanation.name}\n", f"{_escaped(explanation.says)}\n"]
    for number, section in enumerate(explanation.sections):
        if number:
            lines.append(f"`{section.title}`: {_escaped(section.says)}\n")
        lines.append(_table(section))
    if explanation.example:
        lines.append(f"```yaml\n{explanation.example}\n```\n")
    if explanation.kills:
        lines.append(f"Faults that it rejects: {', '.join(f'`{fault}`' for fault in explanation.kills)}.\n")
    return "\n".join(lines)


def _table(section: Section) -> str:
    if not section.arguments:
        return "No arguments.\n"
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for argument in section.arguments:
        default = "required" if argument.required else f"`{argument.default}`" if argument.default else ""
        cells = (f"`{argument.name}`", _escaped(argument.type), default, _escaped(argument.meaning))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
