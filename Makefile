# Thin targets: each installs from Debian what it needs when it is missing, says so, and does one job.
BUILD ?= build
PREFIX ?= /usr/local
export BUILD PREFIX URL CERT KEY TARGET

.PHONY: all build up down test lab restart hostile interop bench conformance fuzz sanitize check calls recipes console browser format install uninstall deb deb-test clean help

all: build

help:
	@sed -n 's/^## //p' Makefile

## make up        build, start a hub with relay on this machine, join it as the first device (DEMO=1: two NATed nodes too;
##                URL=https://hub.example.org: reached from everywhere, see docs/reach-your-hub.md)
up: build
	@$(MAKE) -s deb >/dev/null 2>&1 || echo "No package for the next device: make deb says why."
	@scripts/up

## make down      undo make up (PURGE=1 also forgets the network)
down:
	@scripts/down

build:
	@scripts/install-deps build
	@scripts/build $(BUILD)

## make test      unit, vector, property, simulation and process tests (TEST="route hub_users": these alone)
test:
	@scripts/install-deps test
	@scripts/build $(BUILD)
	@scripts/run-tests $(BUILD) $(TEST)

## make sanitize  the same tests under address and undefined behaviour sanitizers
sanitize:
	@scripts/install-deps test
	@scripts/build build-asan -Db_sanitize=address,undefined -Doptimization=1
	@scripts/run-tests build-asan

## make conformance  recorded answers of Tailscale's service against our policy engine (CASES=DIR: those of another directory)
CASES ?= tests/conformance
conformance:
	@scripts/install-deps test
	@scripts/build $(BUILD)
	@$(BUILD)/tests/conformance/conformance $(CASES)

## make lab       two nodes behind real NATs of every kind; policies and routers that fail (root)
lab:
	@scripts/install-deps lab
	@scripts/build $(BUILD)
	@tests/lab/run

## make restart   how long a device takes to come back, with its hub and without (root)
restart:
	@scripts/install-deps lab
	@scripts/build $(BUILD)
	@tests/lab/restart

## make hostile   attacks on hub, relay and node, an honest device beside each; a table of memory and waiting (ATTACK="h2 derp":
##                these alone; root)
hostile:
	@scripts/install-deps hostile
	@scripts/build $(BUILD)
	@tests/hostile/run $(ATTACK)

## make interop   official clients, relays and hubs, wireguard-go (root, Go)
interop:
	@scripts/install-deps interop
	@scripts/build $(BUILD)
	@tests/interop/run

## make bench     ours and a peer's in turn, with the ratio (root, Go)
bench:
	@scripts/install-deps bench
	@scripts/build $(BUILD)
	@bench/run

## make fuzz      every fuzz target for SECONDS_EACH (60) under sanitizers (TARGET=stun: this one alone)
fuzz:
	@scripts/install-deps fuzz
	@scripts/fuzz

## make check     what a glance at the tree can tell: floors, cycles, clocks, shells, format; what documents and scripts name is there
check:
	@scripts/install-deps format
	@scripts/check-docs
	@scripts/check-format
	@scripts/check-python
	@scripts/check-walls
	@scripts/check-floors

## make calls     no loops of calls between the files of a folder; the ways of docs/architecture.md, walked over the calls
calls: build
	@scripts/check-ways $(BUILD)
	@scripts/check-calls $(BUILD)

## make console   the built console anew from its lock file (npm); what stands in the repository needs neither
console:
	@cd console && npm ci --no-audit --no-fund --silent && npx tsc --noEmit && node build.mjs

## make browser   the console in Chromium, driven by Playwright; its built files are those of its sources (npm)
browser: build
	@scripts/install-deps browser
	@scripts/check-console
	@tests/browser/run

## make recipes   docs/recipes.md, followed in a copy of the tree (root)
recipes:
	@scripts/install-deps test format
	@tests/recipes/run

## make format    clang-format over the tree
format:
	@scripts/install-deps format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

## make install   programs, man pages, units and completions below PREFIX (DESTDIR for packages)
install: build
	@scripts/set-prefix $(BUILD) $(PREFIX)
	@meson install -C $(BUILD) --no-rebuild --quiet
	@echo "Installed below $(DESTDIR)$(PREFIX)."

## make uninstall what make install put there, but for the files in /etc/default
uninstall:
	@ninja -C $(BUILD) uninstall

## make deb       Debian packages of node, hub and relay in BUILD/packages
deb: build
	@scripts/install-deps deb
	@scripts/deb

## make deb-test  the same, looked at by lintian and tried in a fresh Debian (root)
deb-test: deb
	@scripts/install-deps deb-test
	@tests/packaging/deb $(BUILD)/packages

clean:
	@rm -rf build build-asan build-fuzz
