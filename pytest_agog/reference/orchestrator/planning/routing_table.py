"""The routing table: words, phrases and folders of each lane. [O4]"""

from __future__ import annotations

from typing import Final

WORDS: Final = {
    "backend": (
        "API", "endpoint", "GraphQL", "database query", "PostgreSQL", "business logic", "service", "NATS", "Kafka",
        "event",
    ),
    "frontend": (
        "UI", "component", "page", "React", "Material-UI", "dashboard", "form", "view", "user experience", "responsive",
    ),
    "database": ("migration", "schema change", "table", "column", "index", "ALTER TABLE", "CREATE TABLE"),
    "documentation": ("documentation", "README", "API docs", "user guide", "CHANGELOG", "release notes"),
    "review": ("code review",),
    "release": ("merge",),
}  # fmt: skip
"""A match is a whole word or phrase, in singular or plural, in any case."""
FILES: Final = {
    "backend": ("src/api/", "src/services/", "src/db/"),
    "frontend": ("src/components/", "src/pages/"),
    "database": ("src/db/migrations/",),
    "documentation": ("docs/", "README.md", "CHANGELOG.md"),
}
"""The longest prefix of a path wins; one without a slash at its end is a file."""
NAMES: Final = frozenset({"GraphQL", "PostgreSQL", "NATS", "Kafka", "React", "Material-UI", "business logic",
                          "responsive"})  # fmt: skip
"""What has no plural: `reacts` is not about React."""


def forms(phrase: str) -> set[tuple[str, ...]]:
    """A phrase's words in small letters, in singular and plural."""
    *before, last = phrase.lower().replace("-", " ").split()
    if phrase in NAMES:
        return {(*before, last)}
    single = last.removesuffix("s") if last in ("docs", "notes") else last
    many = {f"{single}s"}
    if single.endswith("y"):
        many.add(f"{single[:-1]}ies")
    elif single.endswith("ex"):
        many |= {f"{single}es", f"{single[:-2]}ices"}
    return {(*before, form) for form in (single, *many)}


def _by_first_word() -> dict[str, tuple[tuple[tuple[str, ...], str, str], ...]]:
    found: dict[str, list[tuple[tuple[str, ...], str, str]]] = {}
    for lane, phrases in WORDS.items():
        for phrase in phrases:
            for form in forms(phrase):
                found.setdefault(form[0], []).append((form, phrase, lane))
    return {word: tuple(sorted(some, key=lambda one: -len(one[0]))) for word, some in found.items()}


PHRASES: Final = _by_first_word()
"""By first word: all words, the phrase as the table has it, its lane; the longest first."""
SINGLE: Final = frozenset(form[0] for some in PHRASES.values() for form, _, _ in some if len(form) == 1)
"""Forms that are one word."""
FOLDERS: Final = {prefix.rstrip("/").casefold(): lane for lane, some in FILES.items() for prefix in some
                  if prefix.endswith("/")}  # fmt: skip
SINGLE_FILES: Final = {name.casefold(): lane for lane, some in FILES.items() for name in some if name[-1] != "/"}
