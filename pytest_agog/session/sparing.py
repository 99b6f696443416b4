"""What a run of scenarios does not wait for."""

from __future__ import annotations

import sys

import pytest


def spare_hypothesis(config: pytest.Config) -> None:
    """Let Hypothesis say nothing at the end of a run that never loaded it.

    To find out that it has nothing to say, its plugin imports all of it: half a second, as long as everything else that
    a small run of scenarios does.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)
