#!/usr/bin/env bash
# Proves that the system of compose.yaml works: a message becomes a row and is served, requirements become a plan.
# Exit 0 when all of it does; 1 when something does not, with what and what to look at; 3 when there is no engine.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "smoke-test: FAILED: $1" >&2; exit "${2:-1}"; }
passed() { echo "smoke-test: ok: $1"; }

if docker compose version >/dev/null 2>&1; then compose=(docker compose)
elif command -v docker-compose >/dev/null; then compose=(docker-compose)
else fail "there is no docker compose; install Docker with its compose plugin" 3
fi
docker info >/dev/null 2>&1 || fail "no container engine answers; start it (systemctl start docker, or dockerd)" 3
env_file=${AGOG_ENV_FILE:-.env}
[ -e "$env_file" ] || fail "$env_file is not there; run deploy/quick-start.sh first" 2
compose+=(--env-file "$env_file")
patience=${AGOG_SMOKE_PATIENCE:-20}
within() { timeout "$patience" "${compose[@]}" exec -T "$@"; }

for service in nats postgres comms orchestrator listener; do
    id=$("${compose[@]}" ps -q "$service" | head -n 1)
    [ -n "$id" ] || fail "$service does not run; run deploy/quick-start.sh, see \`${compose[*]} ps\`"
    state=$(docker inspect --format '{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$id")
    [ "$state" = "running healthy" ] || fail "$service is $state; see \`${compose[*]} logs $service\`"
done
passed "every part is healthy"

# Asked from inside, so that it works wherever the ports are published; the token, if there is one, stays there too.
read -r -d '' ask <<'PYTHON' || true
import os, sys, time, urllib.request
path, wanted, patience = sys.argv[1], sys.argv[2], float(sys.argv[3])
request = urllib.request.Request("http://127.0.0.1:8080" + path)
if os.environ.get("AGOG_HTTP_TOKEN"):
    request.add_header("Authorization", "Bearer " + os.environ["AGOG_HTTP_TOKEN"])
deadline = time.monotonic() + patience
with urllib.request.urlopen(request, timeout=patience) as answer:
    for line in answer:
        if wanted in line.decode("utf-8", "replace"):
            sys.exit(0)
        if time.monotonic() > deadline:
            break
sys.exit("nothing of " + wanted + " at " + path)
PYTHON

run="smoke-$(date -u +%Y%m%d%H%M%S)-$$"
# As an agent: with the only user that agents have.
within listener sh -c 'NATS_URL=$AGOG_AGENT_NATS_URL exec agog comms publish "$@"' agent --run-id "$run" --kind message --agent-id smoke "smoke test $run" >/dev/null \
    || fail "the message was not stored; see \`${compose[*]} logs nats\`"
passed "published to the stream"
within comms python3 -c "$ask" "/api/agents/events?runId=$run" "smoke test $run" "$patience" \
    || fail "the row did not arrive at the events API within $patience s; see \`${compose[*]} logs comms postgres\`"
passed "the row is served by the events API"
within comms python3 -c "$ask" /agents "$run" "$patience" || fail "the page /agents does not show the run; see \`${compose[*]} logs comms\`"
passed "the comms page shows the run"

plan=$(printf '[{"id":"REQ-SMOKE","title":"Add an API endpoint for stock","assignedAgent":"roy"}]' | within orchestrator sh -c 'cat >/tmp/smoke-plan.json; agog plan /tmp/smoke-plan.json --json') \
    || fail "no plan was made; see \`${compose[*]} logs orchestrator\`"
case $plan in *REQ-SMOKE*) passed "a plan is made" ;; *) fail "the plan does not hold the requirement; see \`${compose[*]} logs orchestrator\`" ;; esac
within orchestrator python3 -c "$ask" /orchestrator "<title>" "$patience" || fail "the board does not answer; see \`${compose[*]} logs orchestrator\`"
passed "the board answers"
echo "smoke-test: all well"
