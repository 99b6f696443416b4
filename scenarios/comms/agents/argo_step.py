"""Runs one step of the Argo template in a pod's stead: script and environment unchanged, Argo's variables filled in.

Usage: argo_step.py TEMPLATE [NAME=VALUE …], names as in the template (`workflow.name`, `workflow.parameters.agent-id`).
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

HERE = Path(__file__).resolve()
TEMPLATE = HERE.parents[3] / "deploy" / "argo" / "agent-comms-workflow-template.yaml"


def main(name: str, *given: str) -> int:
    spec = yaml.safe_load(TEMPLATE.read_text("utf-8"))["spec"]
    variables = dict(one.split("=", 1) for one in given)

    def filled(node: object) -> object:
        # As Argo does: in the template's JSON, each value as JSON text.
        text = re.sub(r"\{\{([^{}]+)\}\}", lambda tag: json.dumps(variables[tag[1]])[1:-1], json.dumps(node))
        return json.loads(text)

    for one in spec["arguments"]["parameters"]:
        variables.setdefault(f"workflow.parameters.{one['name']}", str(filled(one["value"])))
    variables["workflow.parameters.nats-url"] = os.environ["NATS_URL"]
    [found] = [one for one in spec["templates"] if one["name"] == name]
    for one in found.get("inputs", {}).get("parameters", []):
        variables.setdefault(f"inputs.parameters.{one['name']}", one.get("value", ""))
    script = filled(found["script"])
    values = {one["name"]: one["value"] for one in script["env"] if "value" in one}
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR", "AGOG_SPOOL_DIR") if key in os.environ}
    with tempfile.NamedTemporaryFile("w", suffix=".sh") as source:
        source.write(script["source"])
        source.flush()
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return subprocess.run([*script["command"], source.name], env={**kept, **values, "PATH": path}).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
