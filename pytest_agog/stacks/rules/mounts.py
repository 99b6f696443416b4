"""What is mounted: sources for hot reload, node_modules, the application's code for agents, data that must last."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Final

from pytest_agog.stacks import images, kinds
from pytest_agog.stacks.interpolation import HOLE
from pytest_agog.stacks.model import Mount, Said, Service, Stack
from pytest_agog.stacks.mounting import covers
from pytest_agog.stacks.rules.base import Remark, Rule, at, each
from pytest_agog.stacks.tree import Mapping, Node, Scalar, Sequence
from pytest_agog.stacks.words import AGENT_WORDS, repository, words

_NODE_WORDS: Final = re.compile(
    r"(?:^|[\s/\"'])(?:npm|yarn|pnpm|npx|node|vite|next|nodemon|tsx|ts-node|ts-node-dev|nest|ng|react-scripts)(?:\s|$|[\"'])"
)
_RELOADS: Final = re.compile(
    r"\b(?:npm|yarn|pnpm)\s+(?:run\s+)?(?:dev|start:dev|watch|serve)\b|\bnodemon\b|\btsx\s+watch\b|\bts-node-dev\b|\bnext\s+dev\b|(?:^|\s)vite(?:\s+(?:dev|--\S+).*)?$"
    r"|--reload\b|\bair\b(?:\s|$)|\brunserver\b|\bnest\s+start\s+--watch\b|\bflask\b.*--debug\b"
)
_NODE_VARIABLES: Final = re.compile(
    r"^(?:NODE_ENV|VITE_\w+|REACT_APP_\w+|NEXT_\w+|CHOKIDAR_\w+|NPM_\w+|WATCHPACK_\w+)$"
)
_OTHER_LANGUAGE: Final = re.compile(
    r"\b(?:python3?|gunicorn|uvicorn|fastapi|flask|celery|php|php-fpm|artisan|bundle|rails|puma|java|mvn|gradle|dotnet"
    r"|cargo|mix|go run)\b"
)
_BACK: Final = frozenset({"backend", "server", "api"})
_FRONT: Final = frozenset({"frontend", "web", "ui", "client"})
_NO_SOURCE: Final = frozenset({
    "data", "logs", "log", "uploads", "upload", "storage", "certs", "ssl", "backup", "backups", "secrets",
    "tmp", "cache", "media", "static", "config", "conf", "nginx", "node_modules", "output", "outputs",
    "migrations", "models", "sock",
})  # fmt: skip
_PRODUCTION: Final = frozenset(
    {"prod", "production", "deploy", "deployment", "release", "staging", "ci", "test", "tests"}
)
_WORKSPACES: Final = re.compile(
    r"^/(?:workspaces?|code|repo|repos|project|projects|application|source|sources|src|mnt/\w+|app/(?:workspace|repo|project|code)\w*)(?:/|$)"
)
_MODULES: Final = "node_modules"


def is_source(mount: Mount) -> bool:
    """Whether a mount brings source code in: a folder or file of the project, bound to the container."""
    if mount.type != "bind" or not mount.target:
        return False
    source = mount.source.replace("\\", "/").rstrip("/")
    last = posixpath.basename(source)
    if source.startswith("/") and not re.match(r"^/(?:home|Users|workspace|src|opt)/", source) and HOLE not in source:
        return False
    if re.search(r"\.(?:conf|sock|ya?ml|env|sql|crt|pem|key|toml|cfg|ini|sh)$", last) or last.startswith(".env"):
        return False
    return last.lower() not in _NO_SOURCE and not mount.target.startswith(("/etc/", "/var/", "/docker-entrypoint"))


def is_node(service: Service) -> bool:
    """Whether Node.js runs in it, as far as the file tells."""
    if service.image is not None and repository(service.image.text)[0] in ("node", "oven/bun"):
        return True
    if any(_MODULES in mount.target for mount in service.mounts) or _NODE_WORDS.search(service.ran):
        return True
    if service.build is None or _OTHER_LANGUAGE.search(service.ran):
        return False
    # PHP's images serve /var/www, and builds of their pages take variables of the same names.
    if any(mount.target.startswith("/var/www") for mount in service.mounts):
        return False
    return any(_NODE_VARIABLES.match(one.name) for one in service.environment)


# --- hot reload -------------------------------------------------------------------------------------------------------
def _hot_reload(stack: Stack) -> Iterator[Remark]:
    if set(words(posixpath.splitext(posixpath.basename(stack.file))[0])) & _PRODUCTION:
        return
    for service in stack.services.values():
        if service.watches or service.inherits or any(is_source(mount) for mount in service.mounts):
            continue
        reloads = bool(_RELOADS.search(service.ran))
        named = set(words(service.name)) & (_BACK | _FRONT) and service.build is not None
        if not (reloads or (stack.kind is not None and named)) or _says_production(service):
            continue
        line = service.command_said.line if reloads and service.command_said is not None else service.line
        why = "reloads on changes, and none reach it" if reloads else "is built here and has no source mounted"
        yield Remark(
            service.file, line, f"service {service.name} {why}", "Mount its sources, as in ./backend/src:/app/src.",
            "finding" if stack.kind is not None and stack.sure else "note",
        )  # fmt: skip


def _says_production(service: Service) -> bool:
    build = service.node.get("build")
    target = build.get("target") if isinstance(build, Mapping) else None
    if isinstance(target, Scalar) and set(words(target.text)) & (_PRODUCTION | {"runner", "runtime", "final"}):
        return True
    variable = service.variable("NODE_ENV")
    return variable is not None and variable.said.raw.strip().lower() == "production"


# --- node_modules -----------------------------------------------------------------------------------------------------
def _node_modules(stack: Stack) -> Iterator[Remark]:
    strict = stack.kind is not None and stack.sure
    for service in stack.services.values():
        if not is_node(service):
            continue
        for mount in service.mounts:
            if mount.target.rstrip("/").endswith(f"/{_MODULES}"):
                yield from _modules(service, mount, strict=strict)
        for mount in service.mounts:
            if not is_source(mount) or not _whole_project(service, mount):
                continue
            inside = posixpath.join(mount.target.rstrip("/"), _MODULES)
            if any(
                _MODULES in other.target and other.target.startswith(mount.target.rstrip("/"))
                for other in service.mounts
            ):
                continue
            hidden = f"the mount over {mount.target} hides {inside} of the image"
            on_host = f"{inside} lies on the host, in the mount over {mount.target}"
            yield at(
                mount.said,
                f"service {service.name}: {hidden if service.build is not None else on_host}",
                f"Add a named volume: {service.name}_{_MODULES}:{inside}.",
                "finding" if service.build is not None or strict else "note",
            )


def _modules(service: Service, mount: Mount, *, strict: bool) -> Iterator[Remark]:
    named = f"Use a named volume: {service.name}_{_MODULES}:{mount.target}."
    if mount.type == "bind":
        yield at(mount.said, f"service {service.name}: {_MODULES} comes from the host", named)
    elif not mount.source and mount.type == "volume":
        text = f"service {service.name}: {_MODULES} is in an anonymous volume"
        yield at(mount.said, text, named, "finding" if strict else "note")


def _whole_project(service: Service, mount: Mount) -> bool:
    """Whether the mount lies over the folder in which node_modules is: not one of sources below it."""
    if _WORKSPACES.match(mount.target) and service.working_dir.rstrip("/") != mount.target.rstrip("/"):
        return False
    last = posixpath.basename(mount.target.rstrip("/"))
    if last in (
        "src",
        "public",
        "lib",
        "pages",
        "components",
        "prisma",
        "scripts",
        "dist",
        "build",
        "tests",
        "test",
        "shared",
        "packages",
    ):
        # /usr/src and /src are where whole projects go.
        return mount.target.rstrip("/") in ("/usr/src", "/src")
    if posixpath.splitext(last)[1] and not last.startswith("."):
        return False
    depth = len([part for part in mount.target.split("/") if part])
    if service.working_dir:
        return service.working_dir.rstrip("/") == mount.target.rstrip("/")
    source = mount.source.rstrip("/")
    context = service.build.text.rstrip("/") if service.build is not None else ""
    same = (
        source == context
        or source in (".", "./")
        or posixpath.normpath(source or ".") == posixpath.normpath(context or ".")
    )
    return same and depth <= _DEEP


_DEEP: Final = 4


# --- the application's code for agents --------------------------------------------------------------------------------
_BACKEND_WORDS: Final = frozenset({"backend", "orchestrator", "spawner", "listener", "worker", "runner"})


def _agent_code(stacks: list[Stack]) -> Iterator[Remark]:
    contexts = {
        posixpath.normpath(service.build.text or ".")
        for stack in stacks if stack.kind == "app"
        for service in stack.services.values() if service.build is not None
    }  # fmt: skip
    for stack in stacks:
        if stack.kind != "agents" or stack.partial:
            continue
        backends = [one for one in stack.services.values() if _is_backend(one)]
        if not backends:
            continue
        found = [mount for one in backends for mount in one.mounts if _is_code(one, mount, contexts)]
        first = backends[0]
        if not found:
            yield Remark(
                first.file, first.line, f"the application's code is not mounted into {first.name}",
                "Mount it for the agents to read and write, as in ..:/workspace.",
                "finding" if stack.sure else "note",
            )  # fmt: skip
        elif all(mount.read_only for mount in found):
            yield at(
                found[0].said, f"the application's code is mounted read-only into {first.name}",
                "Agents write code; remove `ro`.",
            )  # fmt: skip


def _is_backend(service: Service) -> bool:
    if kinds.is_agent_tool(service) or (
        service.image is not None and repository(service.image.text)[0] in images.SERVERS
    ):
        return False
    named = set(words(service.name))
    return bool(named & _BACKEND_WORDS) or (bool(named & AGENT_WORDS) and service.build is not None)


def _is_code(service: Service, mount: Mount, contexts: set[str]) -> bool:
    if mount.type != "bind":
        return False
    if _WORKSPACES.match(mount.target):
        return True
    source = posixpath.normpath(mount.source.replace("\\", "/"))
    own = posixpath.normpath(service.build.text or ".") if service.build is not None else None
    if source in contexts or any(source != "." and context.startswith(f"{source}/") for context in contexts):
        return own is None or source != own
    return source in (".", "..", "../..", "../../..") and not (own == source and mount.target.startswith("/app"))


# --- paths ------------------------------------------------------------------------------------------------------------
_PATH_KEYS: Final = frozenset(
    {"build", "context", "dockerfile", "env_file", "file", "path", "device", "source", "target"}
)


def _backslashes(stack: Stack) -> Iterator[Remark]:
    for service in stack.services.values():
        for mount in service.mounts:
            if "\\" in mount.said.raw + mount.source + mount.target and "pipe" not in mount.source:
                yield _backslash(mount.said, service.name, mount.said.raw or mount.source)
        for key in ("build", "env_file", "extends", "develop"):
            for place in _paths(service.node.get(key), service.file):
                yield _backslash(place, service.name, place.raw)
    for file, root in stack.roots:
        for key in ("include", "secrets", "configs"):
            for place in _paths(root.get(key), file):
                yield _backslash(place, key, place.raw)


def _paths(node: Node | None, file: str, key: str = "path") -> Iterator[Said]:
    if isinstance(node, Scalar):
        if key in _PATH_KEYS and "\\" in node.text and "\n" not in node.text:
            yield Said(node.text, node.line, node.file or file, node.text)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _paths(item, file, key)
    elif isinstance(node, Mapping):
        for name, entry in node.entries.items():
            yield from _paths(entry.value, file, name if isinstance(entry.value, (Scalar, Sequence)) else "path")


def _backslash(place: Said, owner: str, path: str) -> Remark:
    shown = path.replace("\\", "/")
    return at(place, f"{owner}: the path {path} has backslashes", f"Write forward slashes: {shown}.")


# --- data -------------------------------------------------------------------------------------------------------------
_PG_DATA: Final = "/var/lib/postgresql"


def _data(stack: Stack) -> Iterator[Remark]:
    strict = stack.kind is not None and stack.sure
    for service in stack.services.values():
        if service.image is None or service.build is not None or service.inherits:
            continue
        repo = repository(service.image.text)[0]
        if repo in images.POSTGRES - {"timescale/timescaledb-ha"}:
            variable = service.variable("PGDATA")
            where = variable.value if variable is not None and variable.value else f"{_PG_DATA}/data"
            lasts = any(covers(one, where) or one.target.startswith(_PG_DATA) for one in service.mounts)
            what = f"the data of {service.name} ({where})"
        elif kinds.is_ollama(service) and (not service.ran or "serve" in service.ran):
            lasts = any("ollama" in one.target or one.target.rstrip("/") == "/root" for one in service.mounts)
            lasts = lasts or service.variable("OLLAMA_MODELS") is not None
            what = f"the models of {service.name} (/root/.ollama)"
        else:
            continue
        if not lasts and not _throw_away(stack, service):
            yield Remark(
                service.file, service.line, f"{what} is in no volume, and is lost with the container"
                if "data" in what else f"{what} are in no volume, and are loaded again each time",
                "Mount a named volume there.", "finding" if strict else "note",
            )  # fmt: skip


def _throw_away(stack: Stack, service: Service) -> bool:
    named = set(words(posixpath.basename(stack.file))) | set(words(service.name))
    return bool(named & {"test", "tests", "ci", "e2e", "testing"}) or any(one.type == "tmpfs" for one in service.mounts)


RULES: Final = (
    Rule("hot-reload-mount", "Without its sources mounted a service is built for every change.", each(_hot_reload)),
    Rule(
        "node-modules-volume",
        "A mount over the project hides the image's node_modules, or mixes in the host's, built for another system.",
        each(_node_modules),
    ),
    Rule("agent-code-mount", "Agents can only work on application code that is mounted for them.", _agent_code),
    Rule("backslash-path", "Backslashes work on Windows only; forward slashes work everywhere.", each(_backslashes)),
    Rule("data-volume", "Data that lies in the container only is lost when it is created anew.", each(_data)),
)  # fmt: skip
