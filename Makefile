# Everything a contributor does. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test test-all simulate bench build check fmt lint ci clean

# One selection for everything that builds all: another one would compile the EC2 SDK a second time.
ALL := --locked --workspace --features functions/fleet,functions/cml
# The same with the tests that `make test-all` sets up; only the packages `tests`, `local` and `local-controllers` differ.
WIRE := $(ALL),tests/wire,local/wire,local-controllers/wire
ZONES := --locked --release --package functions --features fleet,cml
# 200 seeds and the planted bugs, in a profile of their own: unoptimised they would take ten minutes.
SIMULATION := cargo test --locked --package simulation --features seeds --profile simulate
TARGET_DIR := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
TOOLS := tests/emulators/tools
# What the tests of a run log; searched for secrets when they are done.
LOGS := $(TARGET_DIR)/tmp/logs
PORT ?= 8000
ARGS ?=
# Of `make simulate`.
SEEDS ?= 100
DAYS ?= 1
WORKERS ?= 3
START ?= 0
TRACE ?=

help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run the whole product on this machine: http://127.0.0.1:8000 (PORT=..., ARGS="--speed 600").
	cargo run --locked --package local -- --port $(PORT) $(ARGS)

test: ## Run all tests that need only Rust.
	cargo test $(ALL)
	$(SIMULATION)

test-all: ## All tests, also against emulators and release binaries (needs Python 3.10, Java 17, Maven, Node 20, Chromium).
	$(TOOLS) sam validate --lint --template template.yaml
	$(TOOLS) cfn-lint template.yaml 'infra/*.yaml' 'infra/functions/*.yaml' --ignore-templates infra/iam-reasons.yaml
	cd tests/browser && npm ci --no-audit --no-fund
	cargo build $(ZONES)
	rm -rf $(LOGS)
	WIRE_BINARIES=$(TARGET_DIR)/release $(TOOLS) tests/emulators/with tests/emulators/with-keycloak \
		tests/clients/with-virl2-client cargo test $(WIRE)
	$(SIMULATION)
	cargo test $(WIRE) --test all -- --ignored --exact wire::log_search::no_log_of_the_whole_run_shows_a_secret

simulate: ## Run a world that tries to break it: SEEDS=100 DAYS=1 WORKERS=3 START=0 (docs/SIMULATION.md).
	cargo run --locked --package simulation --profile simulate -- \
		--seeds $(SEEDS) --days $(DAYS) --workers $(WORKERS) --start $(START) $(if $(TRACE),--trace)

bench: ## Measure what docs/BENCHMARKS.md has figures of.
	cargo bench --locked --package ccm-http --bench bearer

build: ## Build what is deployed: target/lambda/<zone>/bootstrap, for arm64.
	rustup target list --installed | grep -qx aarch64-unknown-linux-gnu || rustup target add aarch64-unknown-linux-gnu
	$(TOOLS) cargo lambda build $(ZONES) --arm64 --lambda-dir target/lambda

check: ## Type-check everything.
	cargo check $(WIRE) --all-targets

fmt: ## Format the code.
	cargo fmt --all

lint: ## Formatting, clippy and documentation, warnings denied.
	cargo fmt --all --check
	cargo clippy $(WIRE) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(ALL) --no-deps

ci: ## What CI runs.
	.ci/run

clean: ## Remove what was built and the local stack's data.
	cargo clean
	rm -rf .local
