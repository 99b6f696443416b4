#!/usr/bin/env bash
# Brings the whole system of compose.yaml up and waits until every part is healthy. May be called again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "quick-start: $1" >&2; exit "${2:-1}"; }

if docker compose version >/dev/null 2>&1; then compose=(docker compose)
elif command -v docker-compose >/dev/null; then compose=(docker-compose)
else fail "there is no docker compose; install Docker with its compose plugin (Debian: apt-get install docker.io docker-compose)" 3
fi
docker info >/dev/null 2>&1 || fail "no container engine answers; start it (systemctl start docker, or dockerd) and see that you may use it (group docker)" 3

# A letter first: NATS takes what begins with a digit for a number.
secret() { printf 's%s' "$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')"; }
env_file=${AGOG_ENV_FILE:-.env}
if [ ! -e "$env_file" ]; then
    (
        umask 077
        while IFS= read -r line; do
            case $line in *_PASSWORD=) line+=$(secret) ;; esac
            printf '%s\n' "$line"
        done <.env.example >"$env_file"
    )
    echo "quick-start: wrote $env_file with fresh passwords"
fi

# As compose has it: the environment comes before the file.
setting() { if [ -n "${!1:-}" ]; then printf '%s' "${!1}"; else sed -nE "s/^$1=//p" "$env_file" | tail -n 1 | sed -E "s/^(['\"])(.*)\1\$/\2/"; fi; }
for name in NATS_SYSTEM_PASSWORD NATS_AGENTS_PASSWORD NATS_JANGAR_PASSWORD; do
    value=$(setting "$name")
    # In the C locale, where a range of letters holds these letters only.
    (LC_ALL=C; [[ $value =~ ^[A-Za-z][A-Za-z0-9]*$ ]]) \
        || fail "$name is missing, or NATS and its URLs would not read it as it stands. Give it letters and digits, a letter first, in $env_file" 2
done

workspace=$(setting AGOG_WORKSPACE)
workspace=${workspace:-./workspace}
if [ ! -e "$workspace" ]; then
    mkdir -p "$workspace"
    # Agents are the user 10001. Who is not root cannot give the folder away, and is told below.
    if [ "$(id -u)" = 0 ]; then chown 10001:10001 "$workspace"; fi
fi

"${compose[@]}" --env-file "$env_file" config --quiet || fail "the settings are not whole; compare $env_file with .env.example" 2
# Debian's compose speaks to the classic builder; a machine with BuildKit may say otherwise.
if [ "${compose[0]}" = docker-compose ]; then export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} COMPOSE_DOCKER_CLI_BUILD=${COMPOSE_DOCKER_CLI_BUILD:-0}; fi
said=$(mktemp)
trap 'rm -f "$said"' EXIT
patience=${AGOG_START_PATIENCE:-120}
deadline=
until { "${compose[@]}" --env-file "$env_file" up -d 2>&1 >&3 | tee "$said" >&2; } 3>&1; do
    if taken=$(grep -o -m 1 -E '[0-9.]+:[0-9]+:? bind: address already in use|Bind for [0-9.]+:[0-9]+ failed: port is already allocated' "$said"); then
        fail "a port is taken ($taken). Free it, or choose another one in $env_file (AGOG_NATS_PORT, AGOG_MONITOR_PORT, AGOG_HTTP_PORT, AGOG_BOARD_PORT)"
    fi
    # Compose gives up at the first sight of a part that is unhealthy now; a busy one, or one that comes back, is not lost.
    if grep -q 'is unhealthy' "$said"; then
        if [ -z "$deadline" ]; then
            deadline=$((SECONDS + patience))
            echo "quick-start: a part is unhealthy; given $patience s to recover" >&2
        fi
        if [ "$SECONDS" -lt "$deadline" ]; then sleep 2; continue; fi
    fi
    "${compose[@]}" --env-file "$env_file" logs --tail=20 >&2 || true
    grep -E 'ERROR|Error|unhealthy' "$said" >&2 || true
    fail "not everything came up; the lines above say why"
done

deadline=$((SECONDS + patience))
while :; do
    waiting=()
    for id in $("${compose[@]}" --env-file "$env_file" ps -q); do
        state=$(docker inspect --format '{{.Name}}: {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.ExitCode}}{{end}}' "$id")
        # The streams are made by a container that ends.
        case $state in *": running healthy" | *streams*": exited 0") ;; *) waiting+=("${state#/}") ;; esac
    done
    [ ${#waiting[@]} -eq 0 ] && break
    if [ "$SECONDS" -ge "$deadline" ]; then
        fail "not healthy in time: ${waiting[*]}. See \`${compose[*]} logs\`"
    fi
    sleep 1
done
echo "quick-start: every part is healthy"
"${compose[@]}" --env-file "$env_file" exec -T listener test -w /workspace \
    || echo "quick-start: note: agents (user 10001) cannot write to $workspace; where they have to, chown 10001 it" >&2
"${compose[@]}" --env-file "$env_file" port comms 8080 | sed 's#^#quick-start: pages     http://#; s#$#/agents#'
"${compose[@]}" --env-file "$env_file" port orchestrator 8080 | sed 's#^#quick-start: board     http://#; s#$#/orchestrator#'
echo "quick-start: prove it   deploy/smoke-test.sh"
