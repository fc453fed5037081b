# Scrip. `make run` and `make test` install what they need and run again in seconds.

TOOLS := scripts/with-tools.sh
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

.PHONY: help setup build program site run dev stripe-local test test-long mutants check unit end2end fuzz bench bench-long fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what building needs (seconds where it is there)
	@scripts/setup.sh build

build: setup ## target/release/scrip and target/site, ready to serve
	@$(MAKE) --no-print-directory -j2 program site

# Both at once, since each ends with a crate that keeps only one core busy. The program takes longer, so it goes first.
program:
	$(TOOLS) cargo leptos build --release --server-only

site:
	@nice -n 5 scripts/site.sh

run: build ## build and serve at http://127.0.0.1:3000, data in ./data
	@target/release/scrip serve

dev: setup ## serve, and build again at each change
	$(TOOLS) cargo leptos watch

stripe-local: setup ## serve at http://127.0.0.1:3000 with a stand-in for Stripe: click through payments without an account
	$(TOOLS) cargo leptos build
	$(TOOLS) cargo build --locked --features ssr --example stripe_standin
	@scripts/stripe-local.sh

test: ## everything: format, lints, Rust tests, end-to-end, fuzzing
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory check unit end2end fuzz

test-long: ## what takes longer: 500 kills, 200 histories, 512 sequences of 512 on each database, 10,000 fuzzed requests
	@scripts/setup.sh test
	TEST_HISTORIES=200 $(TOOLS) cargo test --locked --features ssr --test linearizable
	TEST_SEQUENCES=512 $(TOOLS) cargo test --locked --features ssr --test sequences
	TEST_KILLS=500 $(TOOLS) cargo test --locked --features ssr --test crash
	$(TOOLS) cargo leptos build
	TEST_FUZZ_CASES=10000 TEST_FUZZ_SEED=random $(TOOLS) scripts/fuzz.sh

mutants: ## defects on purpose, which the tests have to find; see docs/mutants.md
	@scripts/setup.sh test
	scripts/mutants.sh
	scripts/mutants.sh core

check: # format and lints for both targets; warnings are errors
	$(TOOLS) cargo fmt --check
	$(TOOLS) cargo clippy --locked --features ssr --all-targets -- -D warnings
	$(TOOLS) cargo clippy --locked --features hydrate --lib --target wasm32-unknown-unknown -- -D warnings

unit: # Rust tests: the core, the writer, the store, HTTP, the command line
	$(TOOLS) cargo test --locked --features ssr

end2end: # Playwright against the built program, with and without JavaScript
	$(TOOLS) cargo leptos build
	$(TOOLS) cargo build --locked --features ssr --example stripe_standin
	cd end2end && ../scripts/with-tools.sh npm test --silent --prefix end2end

fuzz: # the machine interface by its own description: any 5xx and any undescribed answer fails
	$(TOOLS) scripts/fuzz.sh

bench: ## the ledger against plain SQLite and pgbench, HTTP against nothing; see docs/benchmarks.md
	@scripts/setup.sh test
	$(TOOLS) cargo bench --locked --features ssr --bench core --bench writer --bench http

bench-long: ## whether it slows down as it fills, up to a million accounts
	@scripts/setup.sh test
	$(TOOLS) cargo bench --locked --features ssr --bench growth

fmt: ## format the code
	$(TOOLS) cargo fmt

clean: ## remove what was built, not the data
	cargo clean
