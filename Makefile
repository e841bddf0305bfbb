# Two commands: `make demo` and `make test`. Both set up whatever is missing; `make help` lists the rest.
# Everything heavy (compiled code, Kubernetes, images) is kept in MOKA_CACHE, outside any clone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export MOKA_CACHE ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/moka
export CARGO_TARGET_DIR ?= $(MOKA_CACHE)/target
export CARGO_TERM_COLOR ?= auto

XTASK := cargo xtask
CHEAP := --workspace --exclude moka-tests-control-plane --exclude moka-tests-cluster --exclude moka-tests-shipping

.PHONY: help
help: ## What can be made.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: demo
demo: toolchain ## Run the main job for real: two Spark applications through the whole mesh. KEEP=1 leaves it running.
	@$(XTASK) demo $(if $(KEEP),--keep)

.PHONY: test
test: toolchain ## Every check and every test, cheap ones first, the real cluster last.
	@$(MAKE) --no-print-directory fmt bindings tidy contracts clippy doc unit fuzz control-plane end-to-end
	@echo "make test: every check and every test passed"

.PHONY: check
check: toolchain fmt clippy tidy unit ## The inner loop: format, lints, rules, unit tests.

.PHONY: cluster
cluster: toolchain ## Start the local cluster and leave it running.
	@$(XTASK) cluster up

.PHONY: down
down: toolchain ## Stop the local cluster and remove its state.
	@$(XTASK) cluster down

.PHONY: fmt
fmt: ## Formatting, as the stable toolchain sees it.
	@cargo fmt --all --check 2> >(grep -v -e '^Warning: can.t set' -e '^$$' >&2 || true)

.PHONY: bindings
bindings: ## The committed bindings are those of proto/.
	@$(XTASK) gen --check

.PHONY: tidy
tidy: ## This repository's own rules.
	@$(XTASK) tidy

.PHONY: contracts
contracts: ## buf: lint, and nothing breaks against main.
	@$(XTASK) contracts

.PHONY: clippy
clippy: ## Lints of every crate; any is an error.
	@cargo clippy --locked --workspace --all-targets --quiet -- -D warnings

.PHONY: doc
doc: ## Rustdoc without a warning.
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items --quiet

.PHONY: unit
unit: ## Tests that need nothing but this repository.
	@cargo test --locked $(CHEAP)

.PHONY: fuzz
fuzz: ## Inputs at random for whatever reads what comes from outside.
	@$(XTASK) fuzz --seconds 20 --seed 1

.PHONY: control-plane
control-plane: ## Tests against a real kube-apiserver, PostgreSQL and S3 server, without nodes.
	@$(XTASK) cluster build
	@cargo test --locked --package moka-tests-control-plane --package moka-tests-shipping

.PHONY: end-to-end
end-to-end: ## The whole mesh on the real local cluster.
	@cargo test --locked --package moka-tests-cluster -- --nocapture --test-threads=1
	@$(XTASK) cluster down

.PHONY: toolchain
toolchain:
	@for tool in cargo go java npm python3; do \
	  command -v $$tool >/dev/null || { echo "error: $$tool is missing; install Rust (rustup), Go 1.26, Java 17, Node.js 20 and Python 3 first" >&2; exit 1; }; \
	done
