"""Lanes and the agents who work in them."""

from __future__ import annotations

from typing import Final

AGENT_OF: Final = {
    "backend": "roy",
    "frontend": "jen",
    "database": "database",
    "documentation": "documentation",
    "review": "review",
    "release": "release",
}
"""The agent of each lane that routing knows. [O4]"""
IMPLEMENTING: Final = ("database", "backend", "frontend")
"""Lanes whose work changes the system."""
_FURTHER: Final = {
    "cynthia": "research",
    "sylvia": "critique",
    "billy": "qa",
    "todd": "performance",
    "vic": "security",
    "priya": "statistics",
    "miki": "devops",
}
_LANE_OF: Final = {**{agent: lane for lane, agent in AGENT_OF.items()}, **_FURTHER}


def stated(agent: str) -> tuple[str, str]:
    """Lane and agent of work whose source names who does it.

    A lane's own name stands for its agent (`frontend` is jen); an agent that nobody knows has a lane of its own.
    """
    if agent in AGENT_OF:
        return agent, AGENT_OF[agent]
    return _LANE_OF.get(agent, agent), agent
