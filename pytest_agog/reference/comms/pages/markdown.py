"""Markdown of strangers to HTML that can do nothing: rendered without raw HTML, then sanitised by an allow list.

Either of the two would do; both together hold when one has a fault. Images become links, since a page must not call
other hosts, and links leave the page with `rel="noopener noreferrer nofollow"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

MAX_CHARACTERS: Final = 16_000
"""Longer texts are cut before they come here: time grows faster than length for hostile ones."""
_NESTING: Final = 12
_REL: Final = "noopener noreferrer nofollow"
_TAGS: Final = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES: Final = {"a": {"href", "title"}, "ol": {"start"}, "td": {"class"}, "th": {"class"}}
_ALIGNED: Final = {"align-left", "align-center", "align-right"}
_SCHEMES: Final = ("http://", "https://", "mailto:")


def render(text: str) -> Markup:
    """`text` as HTML of an allow list of tags. At most `MAX_CHARACTERS`, whatever the caller hands in."""
    return _rendered(text[:MAX_CHARACTERS])


@lru_cache(maxsize=1024)
def _rendered(text: str) -> Markup:
    html = nh3.clean(
        _parser().render(text),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_attribute,
        url_schemes={"http", "https", "mailto"},
        link_rel=_REL,
        set_tag_attribute_values={"a": {"target": "_blank"}, "table": {"tabindex": "0"}, "pre": {"tabindex": "0"}},
    )
    return Markup(html)  # noqa: S704 - this is what the sanitiser gave


def _attribute(tag: str, name: str, value: str) -> str | None:
    """Only links that say where they lead: a relative one would lead into this service."""
    if (tag, name) == ("a", "href"):
        return value if value.lower().startswith(_SCHEMES) else None
    if name == "class":
        return value if value in _ALIGNED else None
    return value


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _NESTING, "breaks": True})
    parser.enable(["table", "strikethrough"])
    parser.add_render_rule("image", _image)
    for tag in ("th_open", "td_open"):
        parser.add_render_rule(tag, _cell)
    return parser


def _image(
    _: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:  # fmt: skip
    token = tokens[index]
    source = str(token.attrs.get("src", ""))
    return str(Markup('<a href="{}">{}</a>').format(source, token.content or source or "image"))


def _cell(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:  # fmt: skip
    """The alignment as a class: the page's policy allows no inline style."""
    token = tokens[index]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrSet("class", f"align-{style.removeprefix('text-align:')}")
    return renderer.renderToken(tokens, index, options, env)
