# Every target sets up what it needs on a machine with Python 3.11 or newer, and nothing else.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Some machines forbid bytecode, which triples the time of every import.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo up test-fast test test-long check format reference bench-estimation clean lock bench-collection bench-gates fuzz cross-check bench-disclosure bench-truth test-faults bench docs hooks

.DEFAULT_GOAL := help

help: ## Print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-18s %s\n", $$1, $$2}'

$(VENV)/ready: requirements.lock pyproject.toml tests/pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "asco: Python 3.11 or newer is needed; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . --editable tests
	touch $@

demo: $(VENV)/ready ## Write the demonstration deliveries of wave 2014 and run it to a release
	$(BIN)/asco demo --wave 2014
	$(BIN)/asco run 2014
	@$(BIN)/asco releases 2014
	@echo "Next: “make up” opens the pages at http://127.0.0.1:3000"

up: $(VENV)/ready ## Start PostgreSQL, Dagster's pages and daemon, and the quality pages
	$(BIN)/asco up

# Each session has its own folder: another session would close a shared one to PostgreSQL's system user.
define pytest
	@folder=$$(mktemp -d); \
	$(BIN)/python -m pytest --dist loadgroup --no-loadscope-reorder --basetemp=$$folder/tests --durations=15 --durations-min=2 $(1) $(or $(TESTS),tests); code=$$?; \
	rm -rf $$folder; exit $$code
endef

test-fast: $(VENV)/ready ## Unit and contract tests, no server and no wave (at most a minute is the goal; TESTS=tests/methods: only these)
	$(call pytest,-n 2 -m "not slow and not long")

# Three workers on two processors: one often waits for a server.
test: $(VENV)/ready ## All tests but the long ones: servers and small waves included
	$(call pytest,-n 3 -m "not long")

test-long: $(VENV)/ready ## The long tests: waves at true size, the real files, many kills (with make test: half an hour on two processors)
	$(call pytest,-n 3 -m long)

check: $(VENV)/ready ## Lint, format, types, floors, SQL, dangerous calls, secrets
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci .gitlab-ci.yml
	VIRTUAL_ENV=$(abspath $(VENV)) DAGSTER_HOME= $(BIN)/dg check defs
	$(BIN)/bandit --quiet --recursive --severity-level medium --configfile pyproject.toml asco_dagster
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/security/test_code.py

format: $(VENV)/ready ## Format Python and SQL, and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --disable-progress-bar dbt_project

bench: $(VENV)/ready ## What the pipeline costs as a whole, into var/bench (PARTS=cold,repeated,…: some of it)
	$(BIN)/python -m asco_testing.benchmarks.bench --parts "$(PARTS)"

bench-gates: $(VENV)/ready ## What validation costs beside the run of a wave at true size
	$(BIN)/python -m asco_testing.benchmarks.gates.bench_gates

bench-collection: $(VENV)/ready ## Ten thousand returned workbooks into DuckDB, with pandas beside it
	$(BIN)/python -m asco_testing.benchmarks.collection.bench_collection

fuzz: $(VENV)/ready ## Thousands of random and mutated returns through the reader
	HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -p no:xdist tests/sources/returns/test_fuzz.py

test-faults: $(VENV)/ready ## Kill and starve every part at random instants, TRIES times each (about a minute of one core a try; FAULTS_HOME=: a folder that keeps checkpoints and the journal of tries)
	TEN_WAVES=1 $(BIN)/python -m pytest -q tests/operations/test_backfill.py
	$(BIN)/python -m asco_testing.faults.fault_trials --tries $(or $(TRIES),2) --seed $(or $(SEED),2014) $(if $(FAULTS_HOME),--home $(FAULTS_HOME))

reference: ## Make the results of R's survey again (needs Debian's r-cran-survey and r-cran-mass)
	Rscript tests/methods/reference/make_reference.R

bench-estimation: $(VENV)/ready ## Weights and estimates of a wave against R's survey (needs Debian's r-cran-survey and r-cran-mass; ROUND=--released: minutes, not an hour; ROUND=--alone: without R)
	$(BIN)/python -m asco_testing.benchmarks.estimation.bench $(ROUND)

cross-check: $(VENV)/ready ## The suppression of a wave that ran (WAVE=2014) against τ-Argus's optimum, table by table
	$(BIN)/python -m asco_dagster.confidentiality.cross_check $(or $(WAVE),2014)

bench-disclosure: $(VENV)/ready ## All tables of a wave protected and attacked: seconds, gap to the optimum, open cells (HOMES=: waves that ran)
	$(BIN)/python -m asco_testing.benchmarks.disclosure.bench_disclosure $(HOMES)

bench-truth: $(VENV)/ready ## How near the estimates of the demonstration in ASCO_HOME (after asco demo, asco run 2014) lie to its truth
	$(BIN)/python -m asco_testing.benchmarks.estimation.truth $${ASCO_HOME:-var}

lock: $(VENV)/ready ## Pin the requirements again, without any address
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra encryption --output-file requirements.lock --generate-hashes --no-strip-extras --no-header --no-annotate --python-version 3.11

docs: $(VENV)/ready ## Build the pages of docs/ into var/docs; a broken link fails
	$(BIN)/sphinx-build --quiet --fail-on-warning --nitpicky --keep-going --fresh-env --write-all --conf-dir docs/site -d var/docs/.doctrees docs var/docs
	@echo "Open var/docs/index.html"

hooks: $(VENV)/ready ## Install the git hooks of .pre-commit-config.yaml
	$(BIN)/prek install

clean: ## Remove the virtual environment and every home in var
	rm -rf $(VENV) var
