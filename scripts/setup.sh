#!/usr/bin/env bash
# Installs what building and testing need, and skips what is there. Run by `make`; safe to run again.
#
#   scripts/setup.sh build     the Rust target for the browser, cargo-leptos, wasm-bindgen, wasm-opt
#   scripts/setup.sh test      these, PostgreSQL's server, strace and localstripe for the Rust tests, and Node
#                              packages and Chromium for them and the end-to-end tests
#
# Two ways, tried in this order for each part: the quick one of a usual developer's machine (rustup,
# prebuilt tools), and for a Debian machine that reaches only package registries, Debian's packages and
# building from source. SETUP_WAY=debian in front of `make` takes the second at once.
#
# What it found is written to target/setup.env, which scripts/with-tools.sh reads.
set -euo pipefail
cd "$(dirname "$0")/.."

LEPTOS_VERSION=0.3.11
BINARYEN_VERSION=132.0.0
SCHEMATHESIS_VERSION=4.32.5
LOCALSTRIPE_VERSION=1.15.10
# The minor versions of Rust that the project and cargo-leptos want at least.
RUST_MINOR=$(sed -n 's/^rust-version = "1\.\([0-9]*\)"$/\1/p' Cargo.toml)
LEPTOS_RUST_MINOR=96
TOOLS="${XDG_CACHE_HOME:-$HOME/.cache}/scrip/tools"
WAY="${SETUP_WAY:-quick}"
unset SETUP_WAY
ENV_FILE=target/setup.env
RUNTIME_TARGET=wasm32-unknown-unknown

say() { printf '\033[1m[setup]\033[0m %s\n' "$*"; }
die() { printf '[setup] %s\n' "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif has sudo; then sudo "$@"
    else die "'$*' has to be run as root. Run it by hand, then run this again."; fi
}

debian_install() {
    has apt-get || die "Please install by hand: $*"
    say "installing with apt: $*"
    as_root apt-get update -qq || say "apt's lists could not be refreshed; trying with what is there"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Downloads and unpacks a prebuilt tool; fails at once where the site cannot be reached.
fetch_prebuilt() { # url, file in the archive, destination folder
    [ "$WAY" = quick ] && has curl && has tar || return 1
    local work; work=$(mktemp -d)
    curl -fsSL --connect-timeout 5 --max-time 120 "$1" -o "$work/archive" 2>/dev/null \
        && tar -xf "$work/archive" -C "$work" 2>/dev/null || { rm -rf "$work"; return 1; }
    local found; found=$(find "$work" -type f -name "$2" | head -n 1)
    [ -n "$found" ] && mkdir -p "$3" && install -m 755 "$found" "$3/$2"; local result=$?
    rm -rf "$work"; return $result
}

platform() {
    case "$(uname -sm)" in
        "Linux x86_64") echo "x86_64-unknown-linux-$1" ;;
        "Linux aarch64") echo "aarch64-unknown-linux-$1" ;;
        "Darwin arm64") echo aarch64-apple-darwin ;;
        "Darwin x86_64") echo x86_64-apple-darwin ;;
        *) echo unknown ;;
    esac
}

# --- Rust for the browser ---------------------------------------------------------------------------

TOOLCHAIN=""   # empty: whatever `cargo` is; else the name for RUSTUP_TOOLCHAIN
DEBIAN_RUST="" # "yes" where Debian's Rust builds the project

knows_target() { # the sysroot of a rustc has a standard library for the browser
    local libraries; libraries="$("$@" --print sysroot 2>/dev/null)/lib/rustlib/$RUNTIME_TARGET/lib"
    compgen -G "$libraries/libstd-*.rlib" >/dev/null
}

is_at_least() { # minor version, a rustc
    "$2" --version 2>/dev/null | awk -v least="$1" '{split($2, v, "."); exit !(v[1] > 1 || v[2] >= least)}'
}

install_debian_rust() {
    if ! { [ -x /usr/bin/rustc ] && [ -d /usr/lib/rustlib/src/rust/library ] && [ -x /usr/bin/cargo-clippy ] && [ -x /usr/bin/rustfmt ]; }; then
        debian_install rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy rustfmt-web lld-22
    fi
}

# Debian has the compiler but no standard library for the browser; its sources are there.
build_debian_std() {
    knows_target /usr/bin/rustc && return 0
    say "building Rust's standard library for the browser (about half a minute)"
    local work; work=$(mktemp -d)
    mkdir -p "$work/src"; : > "$work/src/lib.rs"
    printf '[package]\nname = "empty_for_std"\nversion = "0.0.0"\nedition = "2021"\n' > "$work/Cargo.toml"
    (cd "$work" && env -u RUSTUP_TOOLCHAIN RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_DIR="$work/target" \
        /usr/bin/cargo build -q -Zbuild-std=std,panic_abort --target $RUNTIME_TARGET --release)
    local into=/usr/lib/rustlib/$RUNTIME_TARGET/lib
    as_root mkdir -p $into
    find "$work/target/$RUNTIME_TARGET/release/deps" -name 'lib*.rlib' ! -name 'libempty_for_std*' -print0 \
        | as_root xargs -0 cp -t $into
    rm -rf "$work"
}

setup_rust() {
    if [ "$WAY" = quick ] && is_at_least "$RUST_MINOR" rustc && knows_target rustc; then return; fi
    if [ "$WAY" = quick ] && has rustup; then
        if ! is_at_least "$RUST_MINOR" rustc; then
            say "updating Rust with rustup, since 1.$RUST_MINOR is needed (some minutes at most)"
            timeout 300 rustup update --no-self-update stable >/dev/null 2>&1 || say "rustup reaches nothing"
        fi
        say "adding the browser's target with rustup (half a minute at most)"
        timeout 120 rustup target add $RUNTIME_TARGET >/dev/null 2>&1 && knows_target rustc \
            && is_at_least "$RUST_MINOR" rustc && return
        say "rustup cannot give what is needed; taking Debian's Rust instead"
    fi
    install_debian_rust
    build_debian_std
    DEBIAN_RUST=yes
    if has rustup; then
        rustup toolchain link scrip-debian /usr >/dev/null
        TOOLCHAIN=scrip-debian
    fi
}

# A linker for C parts, and for SQLite's own source.
setup_compiler() {
    has cc && has make && return
    debian_install build-essential
}

# --- Tools ------------------------------------------------------------------------------------------

newest_cargo() { # cargo-leptos wants a newer compiler than the project does
    if [ -z "$DEBIAN_RUST" ] && has cargo && is_at_least "$LEPTOS_RUST_MINOR" rustc; then
        echo cargo
    else
        echo "env -u RUSTUP_TOOLCHAIN RUSTC=/usr/bin/rustc /usr/bin/cargo"
    fi
}

# Both tools at once, where they can be had no other way: they share half of what they are built from.
build_tools() {
    say "building cargo-leptos and wasm-bindgen from source (about 5 minutes on two cores, once per machine)"
    local named; named=$(sed -n 's/^wasm-bindgen-cli = .*"=\([0-9.]*\)".*/\1/p' scripts/tools/Cargo.toml)
    [ "$named" = "$BINDGEN_VERSION" ] \
        || die "Cargo.lock has wasm-bindgen $BINDGEN_VERSION, and scripts/tools/Cargo.toml $named. Name the same there."
    [ "$(newest_cargo)" = cargo ] || install_debian_rust
    local work; work=$(mktemp -d)
    # shellcheck disable=SC2046
    $(newest_cargo) build --locked --manifest-path scripts/tools/Cargo.toml --target-dir "$work"
    mkdir -p "$LEPTOS_BIN" "$BINDGEN_BIN"
    install -m 755 "$work/debug/cargo-leptos" "$LEPTOS_BIN/cargo-leptos"
    install -m 755 "$work/debug/wasm-bindgen" "$BINDGEN_BIN/wasm-bindgen"
    rm -rf "$work"
}

# Whether cargo-leptos is there, or could be fetched.
has_cargo_leptos() {
    LEPTOS_BIN="$TOOLS/cargo-leptos-$LEPTOS_VERSION/bin"
    [ -x "$LEPTOS_BIN/cargo-leptos" ] && return
    if has cargo-leptos && cargo-leptos --version 2>/dev/null | grep -q " $LEPTOS_VERSION\$"; then
        LEPTOS_BIN=$(dirname "$(command -v cargo-leptos)"); return
    fi
    say "fetching cargo-leptos $LEPTOS_VERSION"
    fetch_prebuilt "https://github.com/leptos-rs/cargo-leptos/releases/download/v$LEPTOS_VERSION/cargo-leptos-$(platform gnu).tar.gz" \
        cargo-leptos "$LEPTOS_BIN"
}

# Whether wasm-bindgen is there in exactly the version of Cargo.lock, or could be fetched.
has_wasm_bindgen() {
    BINDGEN_VERSION=$(awk '/^name = "wasm-bindgen"$/ {getline; gsub(/[^0-9.]/, ""); print; exit}' Cargo.lock)
    [ -n "$BINDGEN_VERSION" ] || die "Cargo.lock does not name wasm-bindgen"
    BINDGEN_BIN="$TOOLS/wasm-bindgen-$BINDGEN_VERSION/bin"
    [ -x "$BINDGEN_BIN/wasm-bindgen" ] && return
    say "fetching wasm-bindgen $BINDGEN_VERSION"
    local libc=musl; [ "$(uname -m)" = aarch64 ] && libc=gnu
    fetch_prebuilt "https://github.com/wasm-bindgen/wasm-bindgen/releases/download/$BINDGEN_VERSION/wasm-bindgen-$BINDGEN_VERSION-$(platform $libc).tar.gz" \
        wasm-bindgen "$BINDGEN_BIN"
}

setup_tools() {
    local missing=""
    has_cargo_leptos || missing=yes
    has_wasm_bindgen || missing=yes
    if [ -n "$missing" ]; then build_tools; fi
}

setup_node() {
    has node && has npm && return
    debian_install nodejs npm
}

setup_wasm_opt() {
    WASM_OPT_BIN="$TOOLS/binaryen-$BINARYEN_VERSION/node_modules/.bin"
    [ -x "$WASM_OPT_BIN/wasm-opt" ] && return
    setup_node
    say "installing wasm-opt (npm's binaryen $BINARYEN_VERSION)"
    npm install --silent --no-audit --no-fund --prefix "${WASM_OPT_BIN%/node_modules/.bin}" "binaryen@$BINARYEN_VERSION"
}

# --- For the Rust tests -----------------------------------------------------------------------------

# Where initdb is, which comes with the server; Debian and Homebrew leave it out of PATH. The tests look in the
# same places (tests/common/postgres.rs).
find_postgres() {
    command -v initdb && return
    local pattern found
    for pattern in "/usr/lib/postgresql/*" "/opt/homebrew/opt/postgresql*" "/usr/local/opt/postgresql*"; do
        found=$(compgen -G "$pattern/bin/initdb" | sort -V | tail -n 1 || true)
        [ -n "$found" ] && echo "$found" && return
    done
    return 1
}

setup_postgres() {
    find_postgres >/dev/null && return
    [ "$(uname -s)" != Darwin ] || die "Please install PostgreSQL (brew install postgresql@16)"
    # Debian's package starts a server of its own at once, unless this stands there before it comes. The tests
    # start theirs themselves.
    local config=/etc/postgresql-common/createcluster.conf
    if has apt-get && [ ! -e "$config" ]; then
        as_root mkdir -p "${config%/*}"
        echo "create_main_cluster = false" | as_root tee "$config" >/dev/null
    fi
    debian_install postgresql
    find_postgres >/dev/null || die "Please install PostgreSQL's server."
}

# One test counts how often the program waits for the disk. Only Linux has strace, and only there it runs.
setup_strace() {
    [ "$(uname -s)" = Linux ] || return 0
    has strace || debian_install strace
}

# The examples of docs/api.md are run with curl and jq.
setup_shell_tools() {
    has curl || debian_install curl
    has jq || debian_install jq
}

# Calls the machine interface by its own description (scripts/fuzz.sh).
setup_schemathesis() {
    SCHEMATHESIS="$TOOLS/schemathesis-$SCHEMATHESIS_VERSION/bin/schemathesis"
    [ -x "$SCHEMATHESIS" ] && return
    has python3 && python3 -c 'import ensurepip, venv' 2>/dev/null || debian_install python3 python3-venv
    say "installing schemathesis $SCHEMATHESIS_VERSION (half a minute)"
    local into="$TOOLS/schemathesis-$SCHEMATHESIS_VERSION"
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$SCHEMATHESIS_VERSION"
}

# A server that others have written and that speaks some of Stripe's protocol: our client is tried against it.
setup_localstripe() {
    LOCALSTRIPE_PYTHON="$TOOLS/localstripe-$LOCALSTRIPE_VERSION/bin/python"
    "$LOCALSTRIPE_PYTHON" -c 'import localstripe' 2>/dev/null && return
    say "installing localstripe $LOCALSTRIPE_VERSION (PyPI)"
    local home=${LOCALSTRIPE_PYTHON%/bin/python}
    { has python3 && python3 -m venv --clear "$home" 2>/dev/null; } \
        || { debian_install python3 python3-venv && python3 -m venv --clear "$home"; }
    "$LOCALSTRIPE_PYTHON" -m pip install --quiet --disable-pip-version-check "localstripe==$LOCALSTRIPE_VERSION"
}

# --- For the end-to-end tests -----------------------------------------------------------------------

find_browser() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        has "$name" && command -v "$name" && return
    done
    local mac="/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    [ -x "$mac" ] && echo "$mac"
}

setup_end2end() {
    setup_node
    BROWSER=$(find_browser || true)
    if [ -z "$BROWSER" ]; then
        debian_install chromium fonts-dejavu-core
        BROWSER=$(find_browser) || die "Please install Chromium."
    fi
    install_node_packages end2end "the end-to-end tests"
    install_node_packages end2end/emulate "emulate, which stands in for Stripe"
}

install_node_packages() { # folder, what for
    cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock" && return
    say "installing Node packages for $2"
    (cd "$1" && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund)
    cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
}

# --- The whole --------------------------------------------------------------------------------------

NEED="${1:-build}"
[ "$NEED" = build ] || [ "$NEED" = test ] || die "usage: scripts/setup.sh build|test"
started=$SECONDS
BROWSER=""
SCHEMATHESIS=""
LOCALSTRIPE_PYTHON=""
say "looking for what building needs (seconds where it is there; some minutes on a bare machine)"
setup_compiler
setup_rust
setup_tools
setup_wasm_opt
if [ "$NEED" = test ]; then
    setup_postgres
    setup_strace
    setup_shell_tools
    setup_schemathesis
    setup_localstripe
    setup_end2end
fi

mkdir -p target
{
    [ -n "$TOOLCHAIN" ] && printf 'export RUSTUP_TOOLCHAIN=%q\n' "$TOOLCHAIN"
    [ -n "$DEBIAN_RUST" ] && [ -z "$TOOLCHAIN" ] && printf 'export PATH=/usr/bin:$PATH\n'
    [ -n "$LOCALSTRIPE_PYTHON" ] && printf 'export LOCALSTRIPE_PYTHON=%q\n' "$LOCALSTRIPE_PYTHON"
    [ -n "$BROWSER" ] && printf 'export BROWSER_PATH=%q\n' "$BROWSER"
    [ -n "$SCHEMATHESIS" ] && printf 'export SCHEMATHESIS=%q\n' "$SCHEMATHESIS"
    printf 'export PATH=%q:%q:%q:$PATH\n' "$LEPTOS_BIN" "$BINDGEN_BIN" "$WASM_OPT_BIN"
} > "$ENV_FILE"
say "ready after $((SECONDS - started)) s"
