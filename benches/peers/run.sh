#!/bin/sh
# Times each peer on one tree into fresh databases of one server, and prints a table.
#
#   run.sh TREE URL    URL: of a database beside which others may be made, e.g. postgres://bench@db1/postgres
#
# PYTHON and TRANSLOAD name the programs (python3, transload); ROUNDS is 3. All must make as many rows. Peers whose Python
# packages PYTHON does not have are left out, and it says so.
set -eu
tree=$1 url=$2
here=$(cd "$(dirname "$0")" && pwd)
schema=$here/../../schema/donna/postgres
python=${PYTHON:-python3} transload=${TRANSLOAD:-transload} rounds=${ROUNDS:-3}
base=${url%/*}
scratch=$(mktemp -d)
database=transload_peers_$$
trap 'rm -rf "$scratch"; psql -q "$url" -c "DROP DATABASE IF EXISTS $database" >/dev/null 2>&1' EXIT

fresh() {
    psql -q "$url" -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database" 2>/dev/null
    psql -q "$url" -c CHECKPOINT 2>/dev/null || true
}

with_schema() {
    for file in "$schema"/0001_*.sql "$schema"/0002_*.sql; do
        psql -q -1 "$base/$database" -f "$file" >/dev/null
    done
}

# name, whether it wants the schema, the command
measure() {
    name=$1 prepared=$2
    shift 2
    times=
    for round in $(seq "$rounds"); do
        fresh
        [ "$prepared" = no ] || with_schema
        begin=$(date +%s.%N)
        "$@" >"$scratch/out" 2>"$scratch/err" || { echo "$name failed: $(tail -1 "$scratch/err")"; return; }
        end=$(date +%s.%N)
        times="$times $(echo "$end - $begin" | bc)"
    done
    count=
    for table in users chat_sessions messages user_memory; do
        # dlt makes a schema of its own, which nobody else has.
        count="$count $(psql -qtA "$base/$database" -c 'SET search_path = donna, public' -c "SELECT count(*) FROM $table")"
    done
    # Who loads something else is not faster.
    if [ "${expected:=$count}" != "$count" ]; then
        echo "$name made$count rows, and not$expected" >&2
        exit 1
    fi
    median=$(printf '%s\n' $times | sort -n | sed -n "$((rounds / 2 + 1))p")
    printf '%-38s %9.2f s %28s rows\n' "$name" "$median" "$count"
}

# The Python packages it needs, then what measure wants
measure_with() {
    packages=$1
    shift
    for package in $packages; do
        "$python" -c "import $package" 2>/dev/null || { left_out="${left_out:-}$1: $python has no $package\n"; return 0; }
    done
    measure "$@"
}

measure "transload migrate" no "$transload" migrate "$tree" --db "$base/$database" --rejects "$scratch/rejects" --quiet
measure_with psycopg "python, constraints in place" yes "$python" "$here/load.py" "$tree" "$base/$database"
measure_with psycopg "python, dropped and built again" yes "$python" "$here/load.py" "$tree" "$base/$database" --rebuild
measure_with duckdb "duckdb and psql, constraints in place" yes "$python" "$here/duckdb_load.py" "$tree" "$base/$database"
measure_with "dlt psycopg2 psycopg" "dlt, its own tables" no "$python" "$here/dlt_load.py" "$tree" "$base/$database"
[ -z "${left_out:-}" ] || printf 'left out:\n%b' "$left_out"
