#!/bin/sh
# Starts as the Postgres images do: a cluster is made once, from POSTGRES_USER, POSTGRES_PASSWORD(_FILE) and POSTGRES_DB.
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA"
    chown postgres:postgres "$PGDATA"
    chmod 700 "$PGDATA"
    exec /usr/bin/setpriv --reuid=999 --regid=999 --clear-groups "$0" "$@"
fi
case "${1:-}" in -*) set -- postgres "$@" ;; esac
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); fi
    : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE}"
    user=${POSTGRES_USER:-postgres}
    umask 077
    printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
    initdb -D "$PGDATA" -U "$user" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C \
        --no-sync --no-instructions >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    sed -i 's/^local.*/local all all trust/' "$PGDATA/pg_hba.conf"
    database=${POSTGRES_DB:-$user}
    if [ "$database" != postgres ]; then
        # In single-user mode, so that nobody connects before all is there.
        printf 'CREATE DATABASE "%s"\n' "$database" | postgres --single -D "$PGDATA" -c io_method=sync postgres >/dev/null
    fi
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp -c io_method=sync
