#!/usr/bin/env bash
# Starts the built program on a fresh database, with an administrator whose password the tests know.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
printf 'correct horse battery' > "$data/password"
export DATABASE_URL="sqlite://$data/scrip.db" LEPTOS_SITE_ADDR="127.0.0.1:$1" LEPTOS_SITE_ROOT="$PWD/target/site"
export SCRIP_ADMIN_EMAIL=admin@example.com SCRIP_ADMIN_PASSWORD_FILE="$data/password" SCRIP_LOG=warn
target/debug/scrip serve &
server=$!
trap 'kill -TERM $server; wait $server; rm -rf "$data"' TERM INT
wait $server
