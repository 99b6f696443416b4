"""What one item of a coding agent's events says: its texts, the tool that it called, and how that ended."""

from __future__ import annotations

from typing import Any, Final

from pydantic_core import to_json

TEXTS: Final = frozenset({"agent_message", "assistant_message", "reasoning"})
TOOLS: Final = frozenset({"command_execution", "file_change", "mcp_tool_call", "web_search"})
NO_OUTPUT: Final[tuple[object, ...]] = (None, "", [], {})


def text_of(value: object) -> str:
    """Text as it is, nothing for null, and JSON of whatever else stands where text should."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value, inf_nan_mode="constants").decode()


def error_text(value: object) -> str:
    """The message of an error that is text or an object with a message."""
    if isinstance(value, dict) and isinstance(value.get("message"), str):
        return str(value["message"])
    return text_of(value)


def call_of(item: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What was called, as one reads it (empty while the item does not say yet), and as the field `tool`."""
    kind = item.get("type", item.get("item_type"))
    tool: dict[str, Any] = {"id": text_of(item.get("id")), "name": kind}
    if kind == "command_execution":
        command = item.get("command")
        words = isinstance(command, list) and all(isinstance(word, str) for word in command)
        text = " ".join(command) if words and isinstance(command, list) else text_of(command)
        return text, {**tool, "command": command}
    if kind == "file_change":
        changes = item.get("changes")
        return _changes(changes), {**tool, "changes": changes}
    if kind == "web_search":
        return text_of(item.get("query")), {**tool, "query": item.get("query")}
    server, name = text_of(item.get("server")), text_of(item.get("tool"))
    arguments = item.get("arguments")
    text = ".".join(part for part in (server, name) if part)
    shown = "" if arguments in NO_OUTPUT else f" {text_of(arguments)}"
    return f"{text}{shown}" if text else "", {**tool, "name": name, "server": server, "arguments": arguments}


def _changes(changes: object) -> str:
    if not isinstance(changes, list):
        return text_of(changes)
    return "\n".join(
        f"{change['kind']} {change['path']}"
        if isinstance(change, dict) and isinstance(change.get("path"), str) and isinstance(change.get("kind"), str)
        else text_of(change)
        for change in changes
    )


def result_of(item: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """How a call ended: what it gave, the fields of the payload (exit code 0 too, [J07]), and further attributes."""
    kind = item.get("type", item.get("item_type"))
    status = item.get("status")
    fields: dict[str, Any] = {}
    attrs: dict[str, Any] = {}
    tool: dict[str, Any] = {"id": text_of(item.get("id")), "name": kind}
    if kind == "command_execution":
        content = text_of(item.get("aggregated_output"))
        code = item.get("exit_code")
        if code is not None:
            fields["exit_code"] = code
            status = status or ("completed" if code == 0 else "failed")
    elif kind == "mcp_tool_call":
        tool |= {"name": text_of(item.get("tool")), "server": text_of(item.get("server"))}
        error = item.get("error")
        status = status or ("completed" if error is None else "failed")
        content = error_text(error) if error is not None else _given(item.get("result"))
        if error is not None:
            attrs["error"] = error
    else:
        status = status or "completed"
        content = text_of(status)
    if status is not None:
        fields["status"] = status
    return content, {**fields, "tool": tool}, attrs


def _given(result: object) -> str:
    """The text blocks of an MCP result, where it has nothing else; otherwise its JSON."""
    blocks = result.get("content") if isinstance(result, dict) else None
    if isinstance(blocks, list) and blocks:
        texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
        known = [text for text in texts if isinstance(text, str)]
        if len(known) == len(blocks):
            return "\n".join(known)
    return text_of(result)


def plan_of(item: dict[str, Any]) -> str:
    """A list of things to do, as Markdown."""
    items = item.get("items")
    if not isinstance(items, list):
        return text_of(items)
    return "\n".join(
        f"- [{'x' if entry.get('completed') is True else ' '}] {text_of(entry.get('text'))}"
        if isinstance(entry, dict)
        else f"- {text_of(entry)}"
        for entry in items
    )
