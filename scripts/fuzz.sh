#!/usr/bin/env bash
# Calls the built program as its own description allows, and as it does not: schemathesis, all phases, as nobody, as a
# person and as a program. Fails on any 5xx and on any answer that is not described.
#
#   TEST_FUZZ_CASES=900     so many requests at least, over all operations and the three callers
#   TEST_FUZZ_SEED=1        the same seed makes the same requests; "random" takes another each time
#   TEST_FUZZ_PROGRAM=...   instead of target/debug/scrip
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

CASES="${TEST_FUZZ_CASES:-900}"
SEED="${TEST_FUZZ_SEED:-1}"
PROGRAM="${TEST_FUZZ_PROGRAM:-target/debug/scrip}"
# How long the program may take to start, in tenths of a second.
PATIENCE=600
[ "$SEED" = random ] && SEED=$((RANDOM * 32768 + RANDOM))

[ -x "$PROGRAM" ] || { echo "There is no $PROGRAM: run 'cargo leptos build' first." >&2; exit 1; }
[ -x "${SCHEMATHESIS:-}" ] || { echo "Run 'scripts/setup.sh test' first, and this by scripts/with-tools.sh." >&2; exit 1; }

data=$(mktemp -d)
server=
end() {
    if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$data"
}
trap end EXIT
trap 'exit 130' INT TERM

# Settings of a developer's shell are not the test's.
for name in $(compgen -e SCRIP_ || true); do unset "$name"; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export DATABASE_URL="sqlite://$data/scrip.db" LEPTOS_SITE_ADDR="127.0.0.1:$port" LEPTOS_SITE_ROOT="$PWD/target/site"
# A request that was only refused for coming too fast would show nothing.
export SCRIP_CALLS_PER_SECOND=100000
export SCRIP_LOG=warn NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
"$PROGRAM" serve > "$data/log" 2>&1 &
server=$!
tries=0
until curl -fs "http://127.0.0.1:$port/readyz" >/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt "$PATIENCE" ] || ! kill -0 "$server" 2>/dev/null; then cat "$data/log" >&2; exit 1; fi
    sleep 0.1
done

printf 'correct horse battery' | "$PROGRAM" users create --email fuzz@example.com --name Fuzz --json >/dev/null
key_of() { "$PROGRAM" keys create "$@" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])'; }
personal=$(key_of --user fuzz@example.com)
service=$(key_of --service --scopes accounts:read,accounts:write)

operations=$(curl -fs "http://127.0.0.1:$port/api/openapi.json" | python3 -c '
import json, sys
print(sum(len(item) for item in json.load(sys.stdin)["paths"].values()))')
each=$(((CASES + operations * 3 - 1) / (operations * 3)))

failed=
fuzz_as() { # who, further arguments
    local who="$1"; shift
    echo "As $who: $operations operations, up to $each cases of each in each phase, seed $SEED"
    # The stream of events never ends, so it is no request that could be waited for; tests/rest.rs reads it.
    # It leaves files where it runs.
    if ! (cd "$data" && "$SCHEMATHESIS" --config-file "$root/scripts/fuzz.toml" run "http://127.0.0.1:$port/api/openapi.json" \
        --request-timeout 120 --max-examples "$each" --seed "$SEED" --exclude-path-regex '/events$' \
        "$@" > "$data/$who.out" 2>&1); then
        cat "$data/$who.out"
        failed=yes
    fi
}
fuzz_as nobody
fuzz_as person --header "Authorization: Bearer $personal"
fuzz_as program --header "Authorization: Bearer $service"

if grep -E 'panicked|an internal error' "$data/log"; then failed=yes; fi
if ! "$PROGRAM" reconcile --json > "$data/books" 2>&1; then cat "$data/books"; failed=yes; fi
requests=$(cat "$data"/*.out | grep -oE '[0-9]+ generated' | awk '{sum += $1} END {print sum + 0}')
if [ -n "$failed" ]; then
    echo "fuzz: failed, see above ($requests requests, seed $SEED)"
    exit 1
fi
echo "fuzz: $requests requests as nobody, as a person and as a program, seed $SEED: no 5xx, nothing undescribed, the books balance"
