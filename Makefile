# Builds, installs, tries and tests hftok. `make` alone lists what there is.
#
# Must stay true:
# - PG_CONFIG alone decides which Postgres is built for, and nothing is asked of it before a target needs it, so that
#   `make try` works on a machine that has no Postgres yet.
# - What is built lies under the target folder; the source tree is only read, but for the figures of a whole `make bench`.
# - The install script is the plain concatenation of the files that sql/order names: what is reviewed there is what is installed.
# - The last step of an upgrade, which ends at the version of hftok.control, is its own script and then all of sql/again. Steps
#   before it are their own script alone: sql/again fits the newest tables only.

PG_CONFIG ?= pg_config
CARGO_TARGET_DIR ?= $(CURDIR)/target
CARGO ?= cargo
DESTDIR ?=
# Where the hftok command goes, with its pages of `man` and completions.
PREFIX ?= /usr/local
export PG_CONFIG CARGO_TARGET_DIR
# rustup's home, for shells that were opened before it was installed.
export PATH := $(if $(CARGO_HOME),$(CARGO_HOME),$(HOME)/.cargo)/bin:$(PATH)

VERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'.*/\1/p" hftok.control 2>/dev/null)

# Asked for when used, not when read (see above).
pg_config_path = $(shell command -v "$(PG_CONFIG)")
pg_major = $(shell "$(PG_CONFIG)" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
bindir = $(shell "$(PG_CONFIG)" --bindir)
pkglibdir = $(shell "$(PG_CONFIG)" --pkglibdir)
extdir = $(shell "$(PG_CONFIG)" --sharedir)/extension
pg_regress = $(dir $(shell "$(PG_CONFIG)" --pgxs))../test/regress/pg_regress
cargo_pg = --locked --no-default-features --features pg$(pg_major)

library = $(CARGO_TARGET_DIR)/release/libhftok.so
pages_dir = $(CARGO_TARGET_DIR)/pages
scripts_dir = $(CARGO_TARGET_DIR)/extension
script = $(scripts_dir)/hftok--$(VERSION).sql
# A test composes steps of its own.
UPGRADES ?= sql/upgrade
upgrades = $(patsubst $(UPGRADES)/%,$(scripts_dir)/%,$(wildcard $(UPGRADES)/hftok--*--*.sql))
# In this order. A file in sql/ that it does not name, or names twice, is a mistake.
sql_order = $(shell sed '/^\#/d' sql/order)
sql_again = $(filter again/%,$(sql_order))
sql_unlisted = $(filter-out $(sql_order:%=sql/%.sql),$(wildcard sql/once/*.sql sql/again/*.sql))

# Building stays with the user who calls, copying asks for more rights only where it must: `sudo make` would build as root.
elevate = $(if $(DESTDIR),,$(shell test -w "$(pkglibdir)" -a -w "$(extdir)" || command -v sudo))

regress_dir = $(CARGO_TARGET_DIR)/installcheck
# All of them, in order, unless TESTS names some.
TESTS ?=
regress_tests = $(or $(TESTS),$(sort $(basename $(notdir $(wildcard tests/sql/sql/*.sql)))))
regress_unexpected = $(filter-out $(basename $(notdir $(wildcard tests/sql/expected/*.out))),$(regress_tests))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help try try-edge test build scripts install command install-command installcheck regress clippy doc deny unit-tests bench bench-rpc bench-run bench-growth bench-audit bench-bulk bench-rotation bench-standbys soak test-readme test-matrix package clean postgres FORCE

help: ## this list
	@awk -F ' *## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "PG_CONFIG names the Postgres to build for (now: $(PG_CONFIG))."

try: ## installs what is missing, builds, and shows hftok at work in a throw-away Postgres
	@tools/try.sh

try-edge: ## the same with everything that people touch: PostgREST, edge functions and the panel, at an address to open
	@tools/try-edge.sh

test: ## every test that runs on this machine; ends in one line "N passed, N failed"
	@tools/test.sh

scripts: $(script) $(upgrades) # the install script and those of upgrades; needs no Postgres

build: postgres scripts ## the library (release mode) and the scripts, for PG_CONFIG
	PGRX_PG_CONFIG_PATH="$(pg_config_path)" $(CARGO) build --release $(cargo_pg)

install: build ## builds and installs into the Postgres of PG_CONFIG (DESTDIR is honoured)
	$(elevate) install -d "$(DESTDIR)$(pkglibdir)" "$(DESTDIR)$(extdir)"
	$(elevate) install -C -m 755 "$(library)" "$(DESTDIR)$(pkglibdir)/hftok.so"
	$(elevate) install -C -m 644 hftok.control "$(script)" $(upgrades) "$(DESTDIR)$(extdir)/"

command: ## the hftok command (release mode), for terminals, CI jobs and workers; needs no Postgres
	$(CARGO) build --release --locked -p hftok-cli

# As with the library, only copying asks for more rights.
install-command: elevate = $(if $(DESTDIR),,$(shell test -w "$(PREFIX)" || command -v sudo))
install-command: command ## builds the command and installs it under PREFIX (/usr/local), with pages of `man` and completions
	@rm -rf "$(pages_dir)" && mkdir -p "$(pages_dir)"
	"$(CARGO_TARGET_DIR)/release/hftok" man "$(pages_dir)/man1" >/dev/null
	"$(CARGO_TARGET_DIR)/release/hftok" completions bash >"$(pages_dir)/hftok"
	"$(CARGO_TARGET_DIR)/release/hftok" completions zsh >"$(pages_dir)/_hftok"
	"$(CARGO_TARGET_DIR)/release/hftok" completions fish >"$(pages_dir)/hftok.fish"
	$(elevate) install -D -s -m 755 "$(CARGO_TARGET_DIR)/release/hftok" "$(DESTDIR)$(PREFIX)/bin/hftok"
	$(elevate) install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man1" "$(pages_dir)"/man1/*.1
	$(elevate) install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" "$(pages_dir)/hftok"
	$(elevate) install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" "$(pages_dir)/_hftok"
	$(elevate) install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d" "$(pages_dir)/hftok.fish"

installcheck: postgres ## SQL regression tests against the server that PGHOST and PGPORT name
	@$(if $(regress_tests),,echo "tests/sql/sql holds no test" >&2; exit 1)
	@$(if $(regress_unexpected),echo "no expected output in tests/sql/expected for: $(regress_unexpected)" >&2; exit 1)
	@mkdir -p "$(regress_dir)"
	"$(pg_regress)" --bindir="$(bindir)" --inputdir=tests/sql --outputdir="$(regress_dir)" \
		--dbname=contrib_regression $(regress_tests) \
		|| { cat "$(regress_dir)/regression.diffs" 2>/dev/null; exit 1; }

regress: install ## SQL regression tests in a throw-away server, all or those of TESTS="40_privileges …"
	@tools/regress.sh $(TESTS)

clippy: postgres ## the lints, as `make test` runs them
	PGRX_PG_CONFIG_PATH="$(pg_config_path)" $(CARGO) clippy --workspace --all-targets $(cargo_pg) -- -D warnings

# The command comes first and by itself: its pages lie where those of the extension come, because both are named hftok.
doc: export RUSTDOCFLAGS = -D rustdoc::broken_intra_doc_links -A rustdoc::private_intra_doc_links
doc: postgres ## what the comments of the code say, as pages; a link that leads nowhere is an error
	$(CARGO) doc -p hftok-cli --no-deps --document-private-items --locked
	PGRX_PG_CONFIG_PATH="$(pg_config_path)" \
		$(CARGO) doc --workspace --exclude hftok-cli --no-deps --document-private-items $(cargo_pg)

deny: ## the crates of Cargo.lock against deny.toml: licences, sources, doubles, known holes
	@tools/deny.sh

unit-tests: postgres # of the extension itself: what needs no server
	PGRX_PG_CONFIG_PATH="$(pg_config_path)" $(CARGO) test --lib -p hftok $(cargo_pg)

bench: ## the walk against what one would write without hftok, over PostgREST too, the audit, and opening in bulk
	@tools/bench.sh
	@tools/bench-rpc.sh
	@tools/bench-audit.sh
	@tools/bench-bulk.sh

bench-rpc: ## a token over PostgREST, beside reading plaintext there
	@tools/bench-rpc.sh

bench-run: ## what `hftok run` adds to the start of a command, beside `psql -c 'select 1'`
	@tools/bench-run.sh

bench-growth: ## what hftok costs as it grows, and where nobody calls it
	@tools/bench-growth.sh

bench-audit: ## bytes and processor time an event of the audit, verifying and reading a long log
	@tools/bench-audit.sh

bench-bulk: ## opening many values in one statement, beside Supabase Vault's method (libsodium-dev)
	@tools/bench-bulk.sh

bench-standbys: ## whether reading adds up: a primary and two standbys, each by itself and all at once
	@tools/bench-standbys.sh

bench-rotation: ## sealing a million values anew after a rotation, alone and beside readers
	@tools/bench-rotation.sh

soak: install ## hundreds of kills at any moment, and each test that waits ten times in a row (SEED, ROUNDS, TIMES, ONLY)
	@tools/soak.sh

test-readme: ## the README's lines for one's own Postgres, in a bare Debian (root or sudo)
	@tools/readme.sh

test-matrix: ## the whole suite on every supported Postgres that can be had (root or sudo)
	@tools/matrix.sh

package: ## a .deb and a tarball for the Postgres of PG_CONFIG, under target/package
	@tools/package.sh

clean: ## removes everything that was built
	$(CARGO) clean

# Says in one line what a compiler would say in a hundred.
postgres:
	@test -n "$(pg_config_path)" || { echo "no $(PG_CONFIG) here: pass PG_CONFIG=... or run tools/setup.sh" >&2; exit 1; }
	@case "$(pg_major)" in 15|16|17|18) ;; *) \
		echo "$(PG_CONFIG) belongs to Postgres $(pg_major); hftok supports 15 to 18" >&2; exit 1;; esac

# Written anew each time, because a file *removed* from sql/ leaves no newer prerequisite behind; and in one step, because
# somebody else may be installing it.
$(script): FORCE
	@test -n "$(VERSION)" || { echo "hftok.control names no default_version" >&2; exit 1; }
	@$(if $(sql_unlisted),echo "sql/order does not name $(sql_unlisted)" >&2; exit 1)
	@mkdir -p "$(@D)"
	@cat $(sql_order:%=sql/%.sql) >"$@.$$$$" && mv "$@.$$$$" "$@"

$(upgrades): $(scripts_dir)/%: $(UPGRADES)/% FORCE
	@mkdir -p "$(@D)"
	@cat "$<" $(if $(filter %--$(VERSION).sql,$*),$(sql_again:%=sql/%.sql)) >"$@.$$$$" && mv "$@.$$$$" "$@"
FORCE:
