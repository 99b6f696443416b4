"""Leaves compose files as an agent would: one whose healthcheck asks for a version only, one with a password, one that
is none."""

import os
from pathlib import Path

folder = Path(os.environ["AGENT_OUTPUT_DIR"], "deliverables")
(folder / "agents.yaml").write_text("""\
name: agogsaas_agents
services:
  nats:
    image: nats:2.10
    command: ["-js", "-sd", "/data", "-m", "8222"]
    volumes: ["agogsaas_agents_nats:/data"]
    healthcheck: {test: ["CMD", "/nats-server", "--version"]}
    networks: [agogsaas_agents_network]
networks:
  agogsaas_agents_network:
volumes:
  agogsaas_agents_nats:
""")
(folder / "password.yaml").write_text("""\
services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: an-ordinary-one}
    volumes: ["data:/var/lib/postgresql/data"]
volumes:
  data:
""")
(folder / "nothing.yaml").write_text("port: 5432\n")
