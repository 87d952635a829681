# Everything a contributor does. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run test check fmt lint doc ci clean

# One selection for everything that builds all: another one would compile the EC2 SDK a second time.
ALL := --locked --workspace --features functions/fleet,functions/cml
PORT ?= 8000
ARGS ?=

help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## Run the whole product on this machine: http://127.0.0.1:8000 (PORT=..., ARGS="--speed 600").
	cargo run --locked --package local -- --port $(PORT) $(ARGS)

test: ## Run all tests that need only Rust.
	cargo test $(ALL)

check: ## Type-check everything.
	cargo check $(ALL) --all-targets

fmt: ## Format the code.
	cargo fmt --all

lint: ## Formatting, clippy and documentation, warnings denied.
	cargo fmt --all --check
	cargo clippy $(ALL) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(ALL) --no-deps

ci: ## What CI runs.
	.ci/run

clean: ## Remove what was built and the local stack's data.
	cargo clean
	rm -rf .local
