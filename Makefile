# Everything a user types. `make` alone shows the short list; docs/ERRORS.md and docs/RUNBOOK.md explain every error.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# What a user types is data. Make would expand the value of a command-line variable, so that $(shell ...) runs: each is
# taken as the text it is. Recipes name such a variable only through these, which quote it for the shell.
override define newline


endef
override typed_at_make = $(if $(findstring $$,$(1)),,$(filter command,$(firstword $(origin $(1)))))
$(foreach name,$(.VARIABLES),$(if $(call typed_at_make,$(name)),$(eval override export $(name) := $$(value $(name)))))
override quoted = '$(subst $(newline),'$$'\n'',$(subst ','\'',$(value $(1))))'
override given = $(if $(value $(1)),$(call quoted,$(1)))
override option = $(if $(value $(2)),$(1)=$(call quoted,$(2)))
# its words as $$words: split at spaces, nothing else
override split = set -f; words=$(call quoted,$(1));
# it names a file of conf/, and is no path
override known = @name=$(call quoted,$(1)); [[ $$name != */* && -f conf/$(2)/$$name.$(3) ]] || \
	{ echo "error there is no conf/$(2)/$$name.$(3): name one of $$(cd conf/$(2) && echo *.$(3))"; exit 5; } >&2

PYTHON ?= python3
override UV := uv==0.13.9
export PATH := $(CURDIR)/.venv/bin:$(value PATH)
export GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT := false

override STAGES := list-source fetch-bars check-data build-features build-requests forecast-free forecast calibrate seal \
	judge-worth score-forecasts sweep backtest evaluate report
override LONG := "torture or scale or journey or browser"
override QUICK := "not (torture or scale or journey or browser)"
override PYTEST := pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=15
override COMMANDS := verify prove-independence whitelist adopt collect-partitions

# the run of what stands in conf/
override define standing
python -m stages params --check
dvc --wait-for-lock repro
python -m stages gate
endef

##@ Run
.PHONY: demo run first-run use new-run params gate $(STAGES)
demo: .venv/runtime ## a first page, of five sessions; nothing here changes
	@python -m stages demo

run: .venv/runtime ## the whole pipeline to its verdict; PRESET=x: an experiment
ifdef PRESET
	$(call known,PRESET,preset,yaml)
	@$(call split,HOW) python -m stages params --listed=$(call quoted,PRESET) -- $$words
	@$(call split,HOW) dvc exp run -f --name=$(call quoted,PRESET) -S preset=$(call quoted,PRESET) $$words
	$(if $(value HOW),,python -m stages gate)
else
	$(standing)
endif

first-run: new-run ## your folder of bars to a first verdict: PRESET=x URI=folder
	python -m stages use -- $(call given,PRESET)
	python -m stages refresh
	$(standing)

use: .venv/runtime ## make a preset the active choice: PRESET=x
	python -m stages use -- $(call given,PRESET)

new-run: .venv/runtime ## look into your bars, write a preset: PRESET=x URI=folder
	@python -m stages new-run $(call option,--uri,URI) $(call option,--symbols,SYMBOLS) \
		$(call option,--first,FIRST) $(call option,--last,LAST) $(call option,--history,HISTORY) \
		$(call option,--holdout,HOLDOUT) $(call option,--aliases,ALIASES) -- $(call given,PRESET)

params: .venv/runtime # compose conf/ into params.yaml
	python -m stages params

gate: .venv/runtime ## the verdict of the last run; exit code 3 unless PASS
	python -m stages gate

$(STAGES): .venv/runtime
	python -m stages params --check
	dvc --wait-for-lock repro $(subst -,_,$@)

##@ Compare
.PHONY: show experiments page compare pr-comment open-holdout refresh
show: .venv/runtime ## experiments side by side: what differs, verdicts, figures
	@python -m stages show

experiments: .venv/runtime ## queue and run conf/sweeps/<NAME>.txt: NAME=k_sigma
	$(call known,NAME,sweeps,txt)
	@python -m stages prepare
	@python -m stages experiments -- $(call given,NAME)

page: .venv/runtime ## the page of this run, or of another: RUN=x; OPEN=1 shows it
	@python -m stages page $(call option,--open,OPEN) -- $(call given,RUN)

compare: .venv/runtime ## two runs on one page: A=x B=y
	python -m stages compare -- $(call given,A) $(call given,B)

pr-comment: .venv/runtime # what a change does and costs, as a comment: BASE=main
	@python -m stages pr-comment $(call option,--pictures,PICTURES) -- $(call given,BASE)

adopt: ## keep a proposal or an applied experiment in conf/
whitelist: # propose who may trade from the eligible cells
open-holdout: .venv/runtime ## open the holdout for the stated strategy, on the record
	@python -m stages open-holdout $(call option,--month,MONTH)

refresh: .venv/runtime ## list the source anew, and say what is new or revised
	python -m stages params --check --unlisted
	python -m stages refresh

##@ Ask
.PHONY: $(COMMANDS) doctor audit trials null worth study plan spend models learn-model identify budget canary \
	show-request adopt-store new-store release drop \
	demo-online
$(COMMANDS): .venv/runtime
	@$(call split,ARGS) python -m stages $@ $$words

spend: .venv/runtime ## what was bought, run by run; USAGE=1 asks the vendor
	@python -m stages spend $(call option,--usage,USAGE)

verify: # re-derive the key of every stored answer
collect-partitions: # objects in the bucket of storage.root that no run uses; ARGS=--delete

doctor: .venv/runtime ## is everything here that a run needs
	@python -m stages doctor

audit: .venv/runtime ## leakage audit: other futures must not change the past
	@python -m stages audit $(call option,--instants,INSTANTS) $(call option,--at-once,AT_ONCE)

trials: .venv/runtime ## every variant ever tried; writes sweep.prior_trials
	@python -m stages trials

null: .venv/runtime # how often the gates pass by luck; TIMES=100 SEEDS=20
	@python -m stages null $(call option,--times,TIMES) $(call option,--seeds,SEEDS)

worth: .venv/runtime ## is paying worth it: the verdict of the last run
	@python -m stages worth

study: .venv/runtime ## buy until it is known, some sessions at a time: STEP=5
	@python -m stages study $(call option,--step,STEP)

plan: .venv/runtime ## what a run would cost; SET="requests.history_days=[20,40]"
	@$(call split,SET) python -m stages plan -- $$words

models: .venv/runtime # the models that your key may use, one request; SET="api=online"
	@$(call split,SET) python -m stages models -- $$words

learn-model: .venv/runtime # the model's own numbers into conf/, one request at most; SET="api=online"
	@$(call split,SET) python -m stages learn-model -- $$words

identify: .venv/runtime # the digest of your program's files into conf/; CHOICE=a file of conf/forecaster
	python -m stages identify -- $(call given,CHOICE)

budget: .venv/runtime ## requests spent and left; PER_DAY=60 sets a standing limit
	@python -m stages budget $(call option,--clock,CLOCK) -- $(call given,PER_DAY)

show-request: .venv/runtime # the rows that a question sends: KEY=0f3c9a1e
	@python -m stages show-request -- $(call given,KEY)

adopt-store: .venv/runtime # copy answers and ledger into DVC's present cache; FROM=the cache before
	@python -m stages adopt-store $(call option,--from,FROM)

new-store: .venv/runtime # continue with the store in DVC's cache now, as another study
	@python -m stages new-store

release: .venv/runtime # let a refused or abandoned key be bought again: KEY=
	@python -m stages release -- $(call given,KEY)

canary: .venv/runtime # has the model changed under its name? one request
	@python -m stages canary

drop: .venv/runtime # throw a stored answer away, to buy it again: KEY= ARGS=--yes
	@$(call split,ARGS) python -m stages drop $$words -- $(call given,KEY)

demo-online: .venv/dev # the paid path against a stand-in service, without a key
	@python -m tests.paid.demo_online

##@ Develop
.PHONY: test test-cov test-all torture check fmt format lint types layers bench bench-against bench-free bench-scale bench-worth label-proof \
	detection mutants deps errors params-page features-page plots-page requirements help
test: .venv/dev ## the quick tests
	$(PYTEST) -m $(QUICK)

test-cov: .venv/dev # the test-suite with coverage and its floor
	$(PYTEST) -m $(QUICK) --cov --cov-report=term-missing:skip-covered --cov-fail-under=90

test-all: test ## long journeys, torture and full scale too
	$(PYTEST) -m $(LONG)

torture: .venv/dev # kills, races and faults at full length, with their counts; TIMES=500 kills of a run
	KILLS=$(call given,TIMES) AT_LENGTH=1 $(PYTEST) -m torture -s tests/torture

check: format lint types layers test ## all that must be green before a change lands

fmt: .venv/dev # format the code
	ruff format . && ruff check --fix .

format: .venv/dev
	ruff format --check .

lint: .venv/dev
	ruff check . && codespell

types: .venv/dev
	mypy

layers: .venv/dev
	lint-imports

# but those that have targets of their own
override BENCHES := $(filter-out free labels scale worth,$(patsubst tests/benchmarks/bench_%.py,%,$(sort $(wildcard \
	tests/benchmarks/bench_*.py))))
bench: .venv/dev # speed against references, as ratios in one run
	for name in $(BENCHES); do echo "== $$name"; python -m tests.benchmarks.bench_$$name; done

bench-against: .venv/dev # what people wait for, at another commit and here: BASE=main TURNS=3
	@python -m tests.benchmarks.against $(call option,--turns,TURNS) -- $(call given,BASE)

bench-free: .venv/dev # how good free forecasts are on the real bars beside the repository
	@python -m tests.benchmarks.bench_free

detection: .venv/dev # what the data gate catches: faults planted into sound feeds, by fault and size
	python -m tests.benchmarks.detection

bench-scale: ARGS ?= --symbols 5 50 500
bench-scale: .venv/dev # 500 symbols x 5 years: seconds, memory, exponents
	$(call split,ARGS) python -m tests.benchmarks.bench_scale $$words

bench-worth: PATHS ?= 2000
bench-worth: .venv/dev # how often the verdict on paying errs, and how many days it takes; PATHS=2000
	@$(call split,PATHS) python -m tests.benchmarks.bench_worth $$words

label-proof: FEEDS ?= 2000
label-proof: .venv/dev # how often start and end labels are told apart; FEEDS=2000
	@$(call split,FEEDS) python -m tests.benchmarks.bench_labels $$words

mutants: .venv/dev # small faults planted one at a time: which of them no test notices; N=60 SEED=1
	@python -m tests.mutants $(call option,--n,N) $(call option,--seed,SEED)

deps: .venv/dev # write the imported code into dvc.yaml, after imports changed
	python -m tests.architecture.dependencies

errors: .venv/dev # write docs/ERRORS.md from the sentences in the code, after one changed
	python -m tests.docs.errors

params-page: .venv/dev # write docs/PARAMS.md from the models, after one changed
	python -m tests.docs.params_page

features-page: .venv/dev # write the table of docs/FEATURES.md, after the catalogue changed
	python -m tests.docs.feature_table

plots-page: .venv/dev # write the drawing library, and the page of `dvc plots` with it, after vl-convert changed
	python -m tests.docs.plots_page

override PINNED := uv pip compile -q --universal --generate-hashes --no-annotate --no-header
requirements: .venv/dev # pin what pyproject.toml asks for, with the hash of every file
	echo $(UV) | $(PINNED) - -o requirements-uv.txt
	$(PINNED) pyproject.toml -o requirements.txt
	$(PINNED) --extra dev --extra bench --extra cluster --extra skaters -c requirements.txt pyproject.toml -o requirements-dev.txt

help: # this page
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {print substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo "Every command and what it takes: python -m stages --help"

# where Python may keep no compiled code, it is compiled once now instead of at every start
override COMPILE := $(if $(value PYTHONDONTWRITEBYTECODE),--compile-bytecode)

# A new machine: what is missing is said in one sentence before anything is fetched.
override FETCHED := || { echo "error packages could not be fetched, as it says above: go on where a package index can \
	be reached, or name a mirror in PIP_INDEX_URL and UV_INDEX_URL, then type the same again"; exit 5; } >&2
override INSTALL = at=$$(uv cache dir); mkdir -p "$$at" 2> /dev/null && [ -w "$$at" ] || { export UV_NO_CACHE=1; \
	echo "install: $$at cannot be written, so no package is kept for next time: UV_CACHE_DIR names a folder"; }; \
	uv pip install $$([ -t 2 ] || echo -q) $(COMPILE) --require-hashes -r $< $(FETCHED)

.venv/bin/uv:
	@[ -e .git ] && git --version > /dev/null || { echo "error this folder is not a git clone, and git keeps every run: \
	clone it, or type: git init && git add -A && git commit -m Start"; exit 5; } >&2
	@$(call quoted,PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || \
	{ echo "error Python 3.11 or newer is needed: name one, as in make run PYTHON=python3.12"; exit 5; } >&2
	@echo "install: uv, then the packages of requirements.txt, into .venv"
	@$(call quoted,PYTHON) -m venv .venv || { echo "error Python cannot make .venv, as it says above: install its module \
	venv, or make room here"; exit 5; } >&2
	@python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.txt $(FETCHED)

.venv/runtime: requirements.txt | .venv/bin/uv
	@$(INSTALL)
	@python -m stages prepare
	@touch $@

.venv/dev: requirements-dev.txt .venv/runtime
	@$(INSTALL)
	@touch $@
