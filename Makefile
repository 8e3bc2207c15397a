# Everything a user types. `make` alone shows the short list; docs/RUNBOOK.md explains every answer and error.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
UV := uv==0.13.9
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT := false

STAGES := list-source fetch-bars check-data build-features build-requests forecast calibrate seal score-forecasts sweep \
	backtest evaluate report
NOISE := 'artifacts|stages|conf|Created|State|Executor|^source\.|^costs\.(half|tick)|^universe|^forecaster\.(look|min|ewma|fhs|input)|^split|^requests\.snap|^sweep|^api|^quality|^features'
LONG := "torture or scale or journey"
QUICK := "not (torture or scale or journey)"
COMMANDS := spend verify prove-independence refresh whitelist adopt open-holdout collect-partitions

##@ Run
.PHONY: run use new-run params gate $(STAGES)
run: .venv/runtime ## the whole pipeline to its verdict; PRESET=x as experiment x (HOW=--temp or --queue)
ifdef PRESET
	dvc exp run -f -n $(PRESET) -S preset=$(PRESET) $(HOW)
	$(if $(HOW),,python -m stages.commands.trials --present)
	$(if $(HOW),,python -m stages.gate)
else
	python -m stages.commands.params --check
	dvc --wait-for-lock repro
	python -m stages.commands.trials --present
	python -m stages.gate
endif

use: .venv/runtime ## make a preset the standing choice: PRESET=x
	python -m stages.commands.use $(PRESET)

new-run: .venv/runtime ## a preset for your bars: PRESET=x URI=... SYMBOLS="AAPL MSFT"
	@python -m stages.commands.new_run $(PRESET) --uri '$(URI)' --symbols $(SYMBOLS) $(if $(FIRST),--first $(FIRST)) \
		$(if $(LAST),--last $(LAST)) $(if $(HISTORY),--history $(HISTORY)) $(if $(HOLDOUT),--holdout $(HOLDOUT)) \
		$(if $(ALIASES),--aliases $(ALIASES))

params: .venv/runtime ## compose conf/ into params.yaml
	python -m stages.commands.params

gate: .venv/runtime ## the verdict of the last run; exit code 3 unless it is PASS
	python -m stages.gate

$(STAGES): .venv/runtime
	dvc --wait-for-lock repro $(subst -,_,$@)

##@ Compare
.PHONY: show experiments page compare pr-comment
show: .venv/runtime ## experiments side by side, noise dropped
	@[ -t 1 ] || export COLUMNS=140; dvc exp show --only-changed --no-pager --drop $(NOISE)

experiments: .venv/runtime ## queue and run conf/sweeps/<NAME>.txt: NAME=k_sigma
	@[ -f conf/sweeps/$(NAME).txt ] || { echo "error there is no conf/sweeps/$(NAME).txt: name one of $$(cd conf/sweeps && echo *.txt)"; exit 5; } >&2
	while read -r line || [ -n "$$line" ]; do [ -z "$$line" ] || dvc exp run --queue $$line; done < conf/sweeps/$(NAME).txt
	dvc exp run --run-all

page: .venv/runtime ## the page with what was spent and opened; RUN=x for another run
	python -m stages.commands.page $(RUN)

compare: .venv/runtime ## two runs on one page: A=x B=y
	python -m stages.commands.compare $(A) $(B)

pr-comment: .venv/runtime ## what a change does and costs, as a comment: BASE=main
	@python -m stages.commands.pr_comment $(BASE) $(if $(PICTURES),--pictures $(PICTURES))

adopt: ## keep the sweep's proposal, or an applied experiment, in conf/
whitelist: ## propose who may trade from the eligible cells
open-holdout: ## let the stated strategy see the holdout, on the record
refresh: ## list the source anew, and say what is new or revised

##@ Ask
.PHONY: $(COMMANDS) doctor audit trials null plan budget show-request adopt-store new-store release demo-online
$(COMMANDS): .venv/runtime
	python -m stages.commands.$(subst -,_,$@) $(ARGS)

spend: ## calls, series and hit ratio, run by run
verify: ## re-derive the key of every stored answer
collect-partitions: # what no run names in the bucket of storage.root; ARGS=--delete

doctor: .venv/runtime ## is everything here that a run needs
	@python -m stages.commands.doctor

audit: .venv/runtime ## scramble the future at random instants: the past must not move; INSTANTS=300
	@python -m stages.commands.audit $(if $(INSTANTS),--instants $(INSTANTS)) $(if $(AT_ONCE),--at-once $(AT_ONCE))

trials: .venv/runtime ## every variant and opening ever; writes sweep.prior_trials
	@python -m stages.commands.trials

null: .venv/runtime ## how often the gates pass by luck; TIMES=100 SEEDS=20
	@python -m stages.commands.null $(if $(TIMES),--times $(TIMES)) $(if $(SEEDS),--seeds $(SEEDS))

plan: .venv/runtime ## what a run would cost; SET="requests.history_days=[20,40]"
	@set -f; python -m stages.commands.plan $(SET)

budget: .venv/runtime ## requests spent and left; PER_DAY=60 sets a standing limit
	@python -m stages.commands.budget $(PER_DAY)

show-request: .venv/runtime ## the rows that a question sends: KEY=0f3c9a1e
	@python -m stages.commands.show_request $(KEY)

adopt-store: .venv/runtime # answers and ledger follow DVC's cache to its new place; FROM=the cache before
	@python -m stages.commands.store adopt $(if $(FROM),--from $(FROM))

new-store: .venv/runtime # go on with what lies in DVC's cache now, as another study
	@python -m stages.commands.store new

release: .venv/runtime ## let a refused or abandoned key be bought again: KEY=
	@python -m stages.commands.release $(KEY)

demo-online: .venv/dev ## the paid path against a stand-in service, without a key
	@python -m tests.outside.demo_online

##@ Develop
.PHONY: test test-cov test-all check fmt format lint types layers bench bench-scale deps errors features-page plots-page requirements help
test: .venv/dev ## the test-suite, under 10 minutes
	pytest -n 2 --dist loadgroup -m $(QUICK)

test-cov: .venv/dev ## the test-suite with coverage and its floor
	pytest -n 2 --dist loadgroup -m $(QUICK) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

test-all: test ## long journeys, torture and full scale too
	pytest -n 2 --dist loadgroup -m $(LONG)

check: format lint types layers test ## all that must be green before a change lands

fmt: .venv/dev ## format the code
	ruff format . && ruff check --fix .

format: .venv/dev
	ruff format --check .

lint: .venv/dev
	ruff check . && codespell

types: .venv/dev
	mypy

layers: .venv/dev
	lint-imports

bench: .venv/dev ## speed against references, as ratios in one run
	for file in tests/benchmarks/bench_*.py; do echo "== $$file"; python -m tests.benchmarks.$$(basename $$file .py); done

bench-scale: ARGS ?= --symbols 5 50 500
bench-scale: .venv/dev ## 500 symbols x 5 years: seconds, memory, exponents
	python -m tests.benchmarks.bench_scale $(ARGS)

deps: .venv/dev # write the imported code into dvc.yaml, after imports changed
	python -m tests.architecture.dependencies

errors: .venv/dev # write docs/ERRORS.md from the sentences in the code, after one changed
	python -m tests.docs.errors

features-page: .venv/dev # write the table of docs/FEATURES.md, after the catalogue changed
	python -m tests.docs.feature_table

plots-page: .venv/dev # write the page of `dvc plots` with its library inside, after vl-convert changed
	python -m stages.commands.plots_page

requirements: .venv/dev # pin what pyproject.toml asks for
	uv pip compile -q --universal --no-annotate --no-header pyproject.toml -o requirements.txt
	uv pip compile -q --universal --no-annotate --no-header --extra dev --extra bench --extra cluster -c requirements.txt pyproject.toml -o requirements-dev.txt

help: # this page
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

# where Python may keep no compiled code, it is compiled once now instead of at every start
COMPILE := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 5; }
	$(PYTHON) -m venv .venv
	python -m pip install -q --disable-pip-version-check $(UV)

.venv/runtime: requirements.txt | .venv/bin/uv
	uv pip install -q $(COMPILE) -r requirements.txt
	@touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	uv pip install -q $(COMPILE) -r requirements-dev.txt
	@touch $@
