"""What kubectl tells of Kubernetes: a real kubectl, which asks an API that answers as a cluster with NACK does."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_agog.reference.operations import kubernetes
from pytest_agog.reference.operations.documents import files, read
from pytest_agog.reference.operations.manifests import load

NACK = Path(__file__).parents[3] / "deploy" / "nack"
Items = dict[str, list[dict[str, Any]]]
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None,
    reason="kubectl is not installed; put it on PATH (https://kubernetes.io/docs/tasks)",
)


def objects() -> Items:
    """The repository's manifests, as NACK marks them when it has done them."""
    found: Items = {"streams": [], "consumers": []}
    for path in files([NACK]):
        for document in read(path):
            kind = document.value["kind"]
            if kind in ("Stream", "Consumer"):
                ready = {"type": "Ready", "status": "True", "reason": "Created"}
                found[f"{kind.lower()}s"].append({**document.value, "status": {"conditions": [ready]}})
    return found


def answers(items: Items) -> dict[str, Any]:
    """What the API says under each path that kubectl asks."""
    group, version = "jetstream.nats.io", "v1beta2"
    place = {"groupVersion": f"{group}/{version}", "version": version}
    resources = [
        {"name": name, "singularName": name[:-1], "namespaced": True, "kind": kind, "verbs": ["get", "list"]}
        for name, kind in (("streams", "Stream"), ("consumers", "Consumer"))
    ]
    lists = {
        f"/apis/{group}/{version}/{name}": {
            "kind": f"{name[:-1].capitalize()}List", "apiVersion": f"{group}/{version}",
            "metadata": {"resourceVersion": "1"}, "items": found,
        }
        for name, found in items.items()
    }  # fmt: skip
    return {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {
            "kind": "APIGroupList", "apiVersion": "v1",
            "groups": [{"name": group, "versions": [place], "preferredVersion": place}],
        },
        f"/apis/{group}/{version}": {
            "kind": "APIResourceList", "groupVersion": f"{group}/{version}", "resources": resources,
        },
        **lists,
    }  # fmt: skip


Cluster = Callable[[Items], None]


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Answers with the items that it is given; kubectl has a context for it."""
    table: dict[str, Any] = {}

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = table.get(self.path.partition("?")[0])
            data = json.dumps(found or {"kind": "Status", "status": "Failure", "code": 404}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    config = tmp_path / "kubeconfig"
    config.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "proof",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "proof", "context": {"cluster": "c", "user": "u"}}],
        })
    )  # fmt: skip
    monkeypatch.setenv("KUBECONFIG", str(config))
    monkeypatch.setenv("HOME", str(tmp_path))
    yield lambda items: table.update(answers(items))
    server.shutdown()
    thread.join()
    server.server_close()


@needs_kubectl
def test_all_resources_are_there_and_ready(cluster: Cluster) -> None:
    cluster(objects())
    answer = kubernetes.ask(load([NACK]))
    assert (answer.context, answer.told, answer.drift) == ("proof", "26 of 26 resources are there and ready", ())


@needs_kubectl
def test_what_is_missing_not_ready_or_other_is_named(cluster: Cluster) -> None:
    items = objects()
    items["consumers"] = [each for each in items["consumers"] if each["metadata"]["name"] != "jangar-agent-comms"]
    streams = {each["spec"]["name"]: each for each in items["streams"]}
    streams["agent-comms"]["spec"]["maxAge"] = "24h"
    streams["RESULTS"]["status"]["conditions"][0].update(status="False", message="nats: no servers, password=hunter22")
    del streams["ERRORS"]["status"]
    cluster(items)
    answer = kubernetes.ask(load([NACK]))
    assert answer.told == "22 of 26 resources are there and ready"
    assert set(answer.drift) == {
        "consumer agent-comms.jangar-agent-comms: no such resource",
        "stream agent-comms: nats/agent-comms differs from its manifest in max_age",
        "stream RESULTS: nats/results is not ready (nats: no servers, password=****)",
        "stream ERRORS: nats/errors is not ready (NACK has not said anything)",
    }


@needs_kubectl
@pytest.mark.parametrize("first", [True, False])
def test_another_namespace_with_a_stream_of_that_name_is_not_taken_for_it(cluster: Cluster, *, first: bool) -> None:
    items = objects()
    ours = next(each for each in items["streams"] if each["spec"]["name"] == "agent-comms")
    trial = {**ours, "metadata": {**ours["metadata"], "namespace": "trial"}, "spec": {**ours["spec"], "maxAge": "1h"}}
    items["streams"].insert(0 if first else len(items["streams"]), trial)
    cluster(items)
    assert kubernetes.ask(load([NACK])).drift == ()


@needs_kubectl
def test_a_cluster_without_nack_is_drift(cluster: Cluster) -> None:
    answer = kubernetes.ask(load([NACK]))
    assert answer.context == "proof"
    assert "kubectl get streams,consumers failed" in answer.told
    assert answer.drift == (answer.told,)


@needs_kubectl
def test_without_a_context_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    answer = kubernetes.ask(load([NACK]))
    assert (answer.asked, answer.told, answer.drift) == (
        False, "kubectl has no context, so Kubernetes was not asked", (),
    )  # fmt: skip


def test_without_kubectl_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert kubernetes.ask(load([NACK])).told == "kubectl is not installed, so Kubernetes was not asked"
