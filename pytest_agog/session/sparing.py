"""What a run of scenarios does not wait for."""

from __future__ import annotations

import sys
from typing import Final

import pytest

_PACKAGE: Final = __name__.partition(".")[0]


def spare_hypothesis(config: pytest.Config) -> None:
    """Let Hypothesis say nothing at the end of a run that never loaded it.

    To find out that it has nothing to say, its plugin imports all of it: half a second, as long as everything else that
    a small run of scenarios does.
    """
    plugin = config.pluginmanager.get_plugin("hypothesispytest")
    if plugin is not None and "hypothesis" not in sys.modules:
        config.pluginmanager.unregister(plugin)


def spare_rewriting(pluginmanager: pytest.PytestPluginManager) -> None:
    """Let pytest import our modules as they are.

    In modules of plugins it rewrites every `assert`, so that a failing one tells more. Ours test nothing; but a module
    that is marked for that is parsed anew in every run wherever the rewritten form cannot be written down
    (`PYTHONDONTWRITEBYTECODE`, packages that somebody else owns): half of the time that a small scenario takes.
    """
    # pytest has no way to take a mark back; where this attribute is another one day, modules are rewritten again.
    marked = getattr(getattr(pluginmanager, "rewrite_hook", None), "_must_rewrite", None)
    if isinstance(marked, set):
        marked.discard(_PACKAGE)
