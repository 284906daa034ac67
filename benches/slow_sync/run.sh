#!/bin/sh
# Times migrations of one tree on private PostgreSQL servers whose syncs take longer, beside plain psql, and prints a table.
#
#   run.sh TREE
#
# TRANSLOAD names the program (transload), PG_BIN the directory with initdb and pg_ctl, DELAYS the milliseconds
# (0 5 20); ROUNDS is 3. Linux only: the delay is a preloaded library.
set -eu
tree=$1
here=$(cd "$(dirname "$0")" && pwd)
transload=${TRANSLOAD:-transload} delays=${DELAYS:-0 5 20} rounds=${ROUNDS:-3}

for bin in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    [ ! -x "$bin/initdb" ] || break
done
# Somebody who names a version means that one.
bin=${PG_BIN:-$bin}
[ -x "$bin/initdb" ] || { echo "there is no initdb in $bin: set PG_BIN to the directory that has it" >&2; exit 2; }

# The server refuses to run as root.
user=$(id -un)
if [ "$(id -u)" = 0 ]; then
    user=postgres
    id "$user" >/dev/null 2>&1 || user=nobody
fi
as_server() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups "$@")
    else
        "$@"
    fi
}

# Below /tmp, because the path of a socket must be short.
scratch=$(mktemp -d /tmp/transload-slow-XXXXXX)
stop() {
    # What it would write at a proper end is thrown away anyway.
    [ ! -f "$scratch/data/postmaster.pid" ] || as_server "$bin/pg_ctl" -s -D "$scratch/data" -m immediate stop
    rm -rf "$scratch/data"
}
trap 'stop; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

cc -O2 -Wall -Wextra -shared -fPIC -o "$scratch/slow_sync.so" "$here/slow_sync.c" -ldl
chown "$user" "$scratch"
as_server "$bin/initdb" -U postgres -A trust -E UTF8 --no-locale --no-sync -D "$scratch/template" >"$scratch/initdb"

start() {
    as_server cp -R "$scratch/template" "$scratch/data"
    as_server env LD_PRELOAD="$scratch/slow_sync.so" SLOW_SYNC_MICROSECONDS=$(($1 * 1000)) \
        "$bin/pg_ctl" -s -w -D "$scratch/data" -l "$scratch/log" -o "-p 5432 -k '$scratch' -c listen_addresses=''" start \
        || { cat "$scratch/log" >&2; exit 1; }
}

url() { echo "postgres://postgres@/$1?host=$scratch&port=5432"; }

number=0
fresh() {
    number=$((number + 1))
    database=$(url "run_$number")
    psql -qX "$(url postgres)" -c "CREATE DATABASE run_$number"
}

now() { date +%s.%N; }

# From lines of seconds, commits, p50, p95 and p99, one a round: the line of the median round.
median() { sort -n "$scratch/rounds" | sed -n "$((rounds / 2 + 1))p"; }

row() { printf '%5s ms  %-32s %8.2f s %8s %8.1f %8.1f %8.1f\n' "$@"; }

# How it ran, and milliseconds of commits, from the summary.
summary() {
    psql -qtAX -v ON_ERROR_STOP=1 -v text="$(cat "$scratch/summary")" "$(url postgres)" <<'SQL'
SELECT format('%s %s %s %s %s', s->>'mode', c->>'count', 1000 * (c->>'p50')::float, 1000 * (c->>'p95')::float, 1000 * (c->>'p99')::float)
FROM (SELECT :'text'::json) AS given (s), LATERAL (SELECT s->'commits') AS made (c)
SQL
}

migrate() {
    : >"$scratch/rounds"
    for round in $(seq "$rounds"); do
        fresh
        begin=$(now)
        "$transload" migrate "$tree" --db "$database" --mode "$1" --rejects "$scratch/rejects" --json --quiet \
            >"$scratch/summary" 2>"$scratch/err" || { cat "$scratch/err" >&2; exit 1; }
        end=$(now)
        found=$(summary)
        [ "${found%% *}" = "$1" ] || { echo "it ran in the mode ${found%% *}, not $1" >&2; exit 1; }
        echo "$(echo "$end - $begin" | bc) ${found#* }" >>"$scratch/rounds"
    done
    row "$delay" "transload migrate --mode $1" $(median)
}

# 100 commits of 1,000 rows; the last one of all is synchronous in any case, as transload's is.
plain() {
    {
        echo "SET synchronous_commit = $1;"
        printf '%s\n' '\timing on'
        for commit in $(seq 100); do
            echo "INSERT INTO plain SELECT n, now(), repeat('x', 300) FROM generate_series(1, 1000) AS n;"
        done
        printf '%s\n' '\timing off'
        echo 'SET synchronous_commit = on;'
        echo 'INSERT INTO plain VALUES (0, now(), NULL);'
    } >"$scratch/script"
    : >"$scratch/rounds"
    for round in $(seq "$rounds"); do
        fresh
        psql -qX "$database" -c 'CREATE TABLE plain (id bigint, created_at timestamptz, content text)'
        begin=$(now)
        psql -qX -v ON_ERROR_STOP=1 "$database" -f "$scratch/script" >"$scratch/out"
        end=$(now)
        times=$(sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' "$scratch/out" | sort -n | sed -n '50p;95p;99p' | tr '\n' ' ')
        echo "$(echo "$end - $begin" | bc) 100 $times" >>"$scratch/rounds"
    done
    row "$delay" "psql, synchronous_commit = $1" $(median)
}

# A commit cannot take less than the sync in it: else the library is not there, and the figures mean nothing.
check() {
    fresh
    psql -qX "$database" -c 'CREATE TABLE tick (n int)'
    { printf '%s\n' '\timing on'; for n in $(seq 9); do echo "INSERT INTO tick VALUES ($n);"; done; } >"$scratch/script"
    took=$(psql -qX "$database" -f "$scratch/script" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | sort -n | sed -n 5p)
    [ "$(echo "$took >= $delay" | bc)" = 1 ] || { echo "a commit takes $took ms with a delay of $delay ms" >&2; exit 1; }
    row "$delay" "psql, one row (median of 9)" "$(echo "$took / 1000" | bc -l)" 1 "$took" "$took" "$took"
}

printf '%5s     %-32s %10s %8s %8s %8s %8s\n' delay what wall commits 'p50 ms' p95 p99
for delay in $delays; do
    start "$delay"
    check
    migrate online
    migrate bulk
    plain on
    plain off
    stop
done
