"""Roadmaps for tests: written ones, generated ones, and a strategy that makes up odd ones."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

FIXTURES = Path(__file__).parents[4] / "fixtures" / "roadmaps"

NEWLINES = st.sampled_from([b"\n", b"\r\n", b"\r"])
IDS = st.from_regex(r"REQ-[A-Za-z0-9][A-Za-z0-9-]{0,20}", fullmatch=True)
TITLES = st.sampled_from(["Add API", "Fix C#", "A: B - c", "Größe ändern", "über 90 % (neu)", "x"])
LABELS = {
    "bullet": "- {}: {}",
    "star": "* {}: {}",
    "plain": "{}: {}",
    "bold": "**{}**: {}",
    "bold with colon": "**{}:** {}",
    "both": "- **{}:** {}",
    "tab": "-\t{}:\t{}",
    "box": "- [ ] {}: {}",
    "emphasised value": "{}: **{}**",
    "comment": "- {}: {} <!-- by hand -->",
    "spaces": "{}: {}  ",
}
VALUES = {
    "Status": ["NEW", "In Progress", "done", "BLOCKED (waits)"],
    "Agent": ["roy", "Database Agent", "TBD"],
    "Priority": ["HIGH", "low", "P1"],
    "Effort": ["M", "3 days", "about 40k tokens"],
    "Dependencies": ["none", "REQ-1, REQ-2"],
    "Files": ["`src/a.ts`, src/b.ts"],
}
NOISE = st.sampled_from([
    b"Some prose about the work, Status of it included.",
    b"```\n### REQ-FENCED: no entry\n- Status: NEW\n```",
    b"~~~ md\n## REQ-TILDE: none\n~~~",
    b"<!-- ### REQ-COMMENT: none\nStatus: NEW -->",
    b"caf\xe9 \xff\xfe bytes that are no UTF-8",
    b"#### Notes",
    b"  - deeper\t \n    - deepest",
    b"> quoted: Status: FAILED",
    b"| a | b |\n|---|---|",
    b"",
    b"   ",
])  # fmt: skip


@st.composite
def _entry(draw: st.DrawFn, identity: str) -> list[bytes]:
    level = draw(st.integers(2, 6))
    lines = [f"{'#' * level} {identity}: {draw(TITLES)}".encode() + draw(st.sampled_from([b"", b"  ", b" ##"]))]
    for name in draw(st.lists(st.sampled_from(sorted(VALUES)), unique=True)):
        lines += [b""] * draw(st.integers(0, 2))
        pattern = LABELS[draw(st.sampled_from(sorted(LABELS)))]
        shown = draw(st.sampled_from([name, name.lower(), name.upper()]))
        lines.append(pattern.format(shown, draw(st.sampled_from(VALUES[name]))).encode())
    return [*lines, *draw(st.lists(NOISE, max_size=3))]


@st.composite
def roadmaps(draw: st.DrawFn) -> tuple[bytes, list[str]]:
    """The bytes of a roadmap and the ids in it."""
    newline = draw(NEWLINES)
    identities = draw(st.lists(IDS, unique=True, min_size=1, max_size=6))
    parts = [draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + b"# Roadmap"]
    for identity in identities:
        parts += [b"", *draw(_entry(identity))]
    end = draw(st.sampled_from([b"", newline, newline * 3]))
    return newline.join(part.replace(b"\n", newline) for part in parts) + end, identities


def large(count: int) -> bytes:
    """A roadmap of `count` entries, ten lines each."""
    return b"# Roadmap\n\n" + b"".join(
        f"### REQ-{number:05d}: Work number {number}\n- Status: NEW\n- Agent: roy\n- Priority: MEDIUM\n"
        f"- Dependencies: {'none' if number < 2 else f'REQ-{number // 2:05d}'}\n"
        f"- Files: src/api/{number}.ts, src/services/{number % 97}.ts\n\nSome prose, and more.\n\n---\n\n".encode()
        for number in range(count)
    )
