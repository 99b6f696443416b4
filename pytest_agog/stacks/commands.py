"""What a healthcheck runs: its programs, and whether it can fail at all."""

from __future__ import annotations

import re
from typing import Final

from pytest_agog.stacks.model import Healthcheck

_SEPARATORS: Final = re.compile(r"\|\||&&|[;|\n&]")
_QUOTED: Final = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\]){0,2000}\"")
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*")
_KEYWORDS: Final = frozenset(
    {"if", "then", "else", "elif", "fi", "while", "do", "done", "!", "{", "}", "(", ")", "exec", "for"}
)
_WRAPPERS: Final = frozenset({"timeout", "env", "nohup", "time", "gosu", "su-exec", "sudo"})
_BUILT_IN: Final = frozenset({
    "exit", "test", "[", "[[", "echo", "true", "false", "cd", "kill", "export", "set", ":", "return", "printf",
    "read",
})  # fmt: skip
SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "zsh"})
_HARMLESS: Final = frozenset({"true", ":", "echo", "printf", "date", "hostname", "pwd", "whoami", "uname"})
_VERSIONS: Final = frozenset({"--version", "-version", "-v", "-V", "version", "--help", "-h", "-help", "help"})
_OPERATORS: Final = frozenset({"||", "&&", "|", ";", ">", ">/dev/null", "2>&1"})
_VERSION_LENGTH: Final = 2
_ALWAYS: Final = re.compile(
    r"(?:\S*/)?(?:node|python3?|php|ruby)\s+-\w\s+[\"']?"
    r"(?:process\.exit\(0\)|exit\(0\)|import sys;?\s*sys\.exit\(0\)|pass)?;?[\"']?"
)
"""A program in a language, given a text that does nothing but end well."""


def script(check: Healthcheck) -> str | None:
    """What a shell is given to run: of the shell forms, and of `sh -c TEXT`; None where no shell takes part."""
    if check.form == "shell":
        return check.words[0] if check.words else ""
    if check.form == "exec" and check.words and _base(check.words[0]) in SHELLS:
        for at, word in enumerate(check.words[1:], start=1):
            if word.startswith("-") and word.endswith("c") and at + 1 < len(check.words):
                return check.words[at + 1]
    return None


def shell(check: Healthcheck) -> str:
    """The shell that runs it: `sh` for the shell forms, the one named otherwise; empty without one."""
    if check.form == "shell":
        return "sh"
    return check.words[0] if check.form == "exec" and check.words and _base(check.words[0]) in SHELLS else ""


def alternatives(check: Healthcheck) -> list[list[str]]:
    """The programs that it needs, a list for each alternative that `||` separates. One alternative is enough."""
    text = script(check)
    if text is None:
        words = list(check.words)
        return [[words[0]]] if words else []
    found = []
    for alternative in re.split(r"\|\|", _without_quoted(text)):
        programs = [name for part in _SEPARATORS.split(alternative) if (name := _program(part))]
        if programs:
            found.append(programs)
    return found


def _without_quoted(text: str) -> str:
    """Quoted text holds no separators that the shell sees; one quoted word at the front may still be a program."""
    return _QUOTED.sub(lambda match: re.sub(r"[|&;\s]", "_", match[0]), text)


def _program(part: str) -> str:
    words = part.replace("(", " ( ").replace(")", " ) ").split()
    while words:
        word = words[0]
        if word in _KEYWORDS or _ASSIGNMENT.fullmatch(word):
            words.pop(0)
        elif _base(word) in _WRAPPERS:
            words.pop(0)
            while words and (words[0].startswith("-") or re.fullmatch(r"\d+[smhd]?", words[0])):
                words.pop(0)
        else:
            break
    if not words or words[0].startswith(("$", "-", ">", "<", "2>", '"', "'", "`")):
        return ""
    name = words[0]
    return "" if name in _BUILT_IN or not re.fullmatch(r"[A-Za-z0-9_./+-]+", name) else name


def mistaken_shell(check: Healthcheck) -> str:
    """Why the exec form cannot work: it holds what only a shell understands. Empty when it can."""
    if check.form != "exec" or not check.words or script(check) is not None:
        return ""
    if len(check.words) == 1 and " " in check.words[0].strip():
        name = check.words[0].split()[0]
        return f"CMD takes {name!r} and its arguments one by one; this is one program name with spaces"
    operator = next((word for word in check.words[1:] if word in _OPERATORS), "")
    return f"CMD has no shell, so {operator!r} goes to {check.words[0]!r} as an argument" if operator else ""


def cannot_fail(check: Healthcheck) -> str:
    """Why it says healthy whatever the service does; empty when it can fail."""
    text = script(check)
    if text is None:
        return _harmless(list(check.words))
    stripped = text.strip()
    if re.search(r"(\|\||;|&&\s*true\s*\|\|)\s*(exit\s+0|true|:|echo\b[^|&;]*)\s*$", stripped):
        return "whatever fails before, its end succeeds"
    if re.fullmatch(r"exit\s+0", stripped):
        return "it always ends with 0"
    stripped = re.sub(r"\|\|\s*(exit\s+[1-9]\d*|false)\s*$", "", stripped).strip()
    if _SEPARATORS.search(_without_quoted(stripped)):
        return ""
    return _harmless(stripped.split())


def _harmless(words: list[str]) -> str:
    words = [word for word in words if not word.startswith((">", "2>", "1>"))]
    if not words:
        return ""
    if _base(words[0]) in _HARMLESS:
        return f"{words[0]} always succeeds"
    if len(words) == _VERSION_LENGTH and words[1] in _VERSIONS and _base(words[0]) not in ("curl", "test", "pgrep"):
        return f"{words[0]} {words[1]} tells of the program, not of the service"
    if _ALWAYS.fullmatch(" ".join(words)):
        return f"this {words[0]} always ends with 0"
    return ""


def _base(program: str) -> str:
    return program.rpartition("/")[2]
