#!/usr/bin/env bash
# Runs a command with the tools that scripts/setup.sh found.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f target/setup.env ] || { echo "Run 'make setup' first." >&2; exit 1; }
# shellcheck source=/dev/null
. target/setup.env
exec "$@"
