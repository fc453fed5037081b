#!/usr/bin/env bash
# Defects on purpose, each of which some test has to find.
#
#   scripts/mutants.sh             the patches of tests/mutants: in the SQL and in the writer
#   scripts/mutants.sh NAME...     some of them, by their names without the ending
#   scripts/mutants.sh core        all that cargo-mutants makes of src/domain, with the core's own tests
#
# A patch says in its first line what it does, and in its second which test finds it. It is applied to a copy of the
# working tree, which is compiled in a folder of its own (target/mutants), so that nothing here is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
WORK=$ROOT/target/mutants

cargo_here() { "$ROOT/scripts/with-tools.sh" cargo "$@"; }

core() {
    cargo_here mutants --version >/dev/null 2>&1 || env -u CARGO_TARGET_DIR cargo install --locked cargo-mutants
    # Only the core is compiled for a mutant: no server, no browser.
    cargo_here mutants --no-default-features --features core --no-shuffle --output "$WORK" \
        --file 'src/domain/**/*.rs' --exclude 'src/domain/**/tests/**' --minimum-test-timeout 60 -- --lib domain::
}

# Applies one patch to a fresh copy and runs its test there: 0 where the test fails, as it should.
by_hand() {
    local name=$1 patch="$ROOT/tests/mutants/$1.patch" test filter
    [ -f "$patch" ] || { echo "There is no tests/mutants/$name.patch." >&2; return 1; }
    read -r test filter < <(sed -n 's/^Caught by: //p' "$patch")
    local copy="$WORK/tree"
    mkdir -p "$copy"
    # By content: what did not change keeps its time, so that only the patched files are compiled again.
    git ls-files -co --exclude-standard -z | rsync -rlp --checksum --from0 --files-from=- . "$copy/"
    mkdir -p "$copy/target" && cp target/setup.env "$copy/target/"
    patch --directory="$copy" --strip=1 --silent --no-backup-if-mismatch < "$patch" || return 1
    local said="$WORK/$name.log"
    if (cd "$copy" && CARGO_TARGET_DIR="$WORK/build" scripts/with-tools.sh cargo test --locked --features ssr \
        --test "$test" -- "$filter") > "$said" 2>&1; then
        echo "SURVIVED  $name: $(head -1 "$patch")"
        return 1
    fi
    # A patch that does not compile shows nothing.
    if ! grep -q '^test result: FAILED' "$said"; then
        echo "BROKEN    $name: see $said"
        return 1
    fi
    echo "caught    $name: $(head -1 "$patch")"
}

if [ "${1:-}" = core ]; then
    core
    exit
fi
if [ $# -eq 0 ]; then
    for patch in tests/mutants/*.patch; do set -- "$@" "$(basename "$patch" .patch)"; done
fi
mkdir -p "$WORK"
# What is compiled here need not be compiled there once more.
[ -d "$WORK/build" ] || [ ! -d target/debug/deps ] || {
    mkdir -p "$WORK/build/debug"
    cp -a target/debug/.fingerprint target/debug/build target/debug/deps "$WORK/build/debug/"
}
failed=0
for name in "$@"; do by_hand "$name" || failed=$((failed + 1)); done
[ "$failed" -eq 0 ] || { echo "$failed of $# were not caught." >&2; exit 1; }
echo "All $# were caught."
