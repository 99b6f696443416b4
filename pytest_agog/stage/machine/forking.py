"""The fork server's own process: has loaded what `agog` commands need, and forks one for each request.

`python -m pytest_agog.stage.machine.forking MODULE…` (`MODULE:FUNCTION` also calls it), with one end of a socket pair
as standard input. A message is its length in four bytes and JSON. `start` comes with a descriptor for the child's
output, and is answered with the child's process id. `reap` is answered with its exit status; until then a child that
ended stays a zombie, so that its id is nobody else's. `load` names further modules, and is not answered. When the
socket ends, so does the server, and with it (by a parent-death signal) its children.

It runs one thread: forking others would leave locks behind that nobody releases.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_HEAD: Final = struct.Struct("!I")


def main() -> None:
    """Serve; in a child, be the command."""
    libc = ctypes.CDLL(None)
    _load(sys.argv[1:])
    command = _serve(socket.socket(fileno=0), libc)
    if command is not None:
        _run(command)


def _load(names: Sequence[str]) -> None:
    for name in names:
        module, _, function = name.partition(":")
        # What cannot be loaded says so when the command itself is run.
        with contextlib.suppress(Exception):
            loaded = importlib.import_module(module)
            if function:
                getattr(loaded, function)()
    gc.collect()
    gc.freeze()


def receive(line: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and the descriptors that came with it; None at the end."""
    head, descriptors, _, _ = socket.recv_fds(line, _HEAD.size, 1, socket.MSG_WAITALL)
    if len(head) < _HEAD.size:
        return None
    body = bytearray()
    (size,) = _HEAD.unpack(head)
    while len(body) < size:
        chunk = line.recv(size - len(body))
        if not chunk:
            return None
        body += chunk
    message: dict[str, Any] = json.loads(body)
    return message, descriptors


def send(line: socket.socket, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
    """Send a message."""
    body = json.dumps(message).encode()
    socket.send_fds(line, [_HEAD.pack(len(body))], descriptors or [])
    line.sendall(body)


def _serve(line: socket.socket, libc: ctypes.CDLL) -> dict[str, Any] | None:
    """Answer requests until the line ends (None); in a child returns what it is to be."""
    while (received := receive(line)) is not None:
        request, descriptors = received
        if request["do"] == "load":
            _load(request["modules"])
            continue
        if request["do"] == "reap":
            try:
                _, status = os.waitpid(request["pid"], 0)
            except ChildProcessError:
                send(line, {"error": "no such child"})
            else:
                send(line, {"status": os.waitstatus_to_exitcode(status)})
            continue
        try:
            pid = _fork(line, request, descriptors[0], libc)
        except OSError as error:
            send(line, {"error": error.strerror or str(error)})
            continue
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if pid == 0:
            return request
        send(line, {"pid": pid})
    return None


def _fork(line: socket.socket, request: dict[str, Any], output: int, libc: ctypes.CDLL) -> int:
    """The child's id once it has settled, so that its group is there to be signalled; 0 in the child."""
    parent = os.getpid()
    settled, tell = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(settled)
        os.close(tell)
        raise
    if pid == 0:
        try:
            line.close()
            os.close(settled)
            _settle(request, output, parent, libc)
            os.close(tell)
        except BaseException:
            os._exit(1)
        return 0
    os.close(tell)
    os.read(settled, 1)  # ends when the child closes its side, or ends
    os.close(settled)
    return pid


def _settle(request: dict[str, Any], output: int, parent: int, libc: ctypes.CDLL) -> None:
    """In the child: a session, output, folder and environment of its own, and an end with its parent's."""
    os.setsid()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, b"agog " + request["words"][0].encode()[:10], 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()


def _run(command: dict[str, Any]) -> None:
    """Exactly what the program `agog` does with these words."""
    try:
        os.chdir(command["cwd"])
    except OSError as error:
        sys.exit(f"agog: {command['cwd']}: {error.strerror}")
    sys.argv = ["agog", *command["words"]]
    runpy.run_module("pytest_agog", run_name="__main__")


if __name__ == "__main__":
    main()
