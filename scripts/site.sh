#!/usr/bin/env bash
# Builds the browser's half for release into target/site, unless what is there is it. cargo-leptos would put it through
# wasm-bindgen and wasm-opt again each time, which takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."

# The names of the files, by their content; the program reads it, too.
NAMES=target/release/hash.txt
# As old as the begin of the last build that came to its end.
STAMP=target/release/site.stamp

is_there() {
    [ -f "$NAMES" ] && [ -f "$STAMP" ] || return 1
    local kind name
    # A build for tests puts its files, of other names, in the place of these.
    while IFS=': ' read -r kind name; do [ -f "target/site/pkg/scrip.$name.$kind.br" ] || return 1; done < "$NAMES"
    [ -z "$(find src style public Cargo.toml Cargo.lock .cargo scripts/setup.sh -newer "$STAMP" -print -quit)" ]
}

is_there && exit
mkdir -p target/release
touch "$STAMP.new"
scripts/with-tools.sh cargo leptos build --release --precompress --frontend-only
mv "$STAMP.new" "$STAMP"
