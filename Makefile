# Every target sets itself up: Python 3.11 or newer, make and a package index are all it takes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo

.PHONY: demo demo-agents test lint bench storm fuzz mutants clean

# Make an environment with the exact versions that were tried together.
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "workermd needs Python 3.11 or newer; set PYTHON=python3.x"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev]'
	@touch $@

# Validate a record set with a shipped contract. A second run has the same run_id: it is replayed.
demo: $(VENV)/.ready
	@mkdir -p $(DEMO)
	$(BIN)/workermd validate contracts
	$(BIN)/workermd run --ledger $(DEMO)/ledger.db contracts/data-validation.worker.md contracts/examples/data-validation.input.json

# Teams and single agents on every framework, without a model or a key: their recorded conversations are replayed.
demo-agents: $(VENV)/.ready
	@mkdir -p $(DEMO)
	@for kind in chat ag2 agent-framework; do \
	  echo "--- one agent: $$kind"; $(BIN)/workermd run -v --config contracts/examples/agents/$$kind.toml --replay contracts/examples/agents/$$kind \
	    --ledger $(DEMO)/$$kind.db contracts/ticket-triage.worker.md contracts/examples/ticket-triage.input.json || exit 1; done
	@for kind in team ag2 agent-framework; do \
	  echo "--- three agents: $$kind"; $(BIN)/workermd run -v --config contracts/examples/agents/$$kind.toml --replay contracts/examples/agents/$$kind \
	    --ledger $(DEMO)/$$kind.db contracts/release-notes.worker.md contracts/examples/release-notes.input.json || exit 1; done

# The whole test suite, on every core; child processes count for the coverage.
test: $(VENV)/.ready
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n auto --dist worksteal
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --fail-under=95

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Figures for docs/benchmarks.md: medians and ratios to a baseline measured in the same run.
bench: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev,bench]'
	$(BIN)/python -m tests.benchmarks

# Crash points in pairs, seeded faults and a kill storm. SECONDS_LONG bounds the storm; SEED repeats one.
SECONDS_LONG ?= 300
SEED ?=
storm: $(VENV)/.ready
	$(BIN)/python -m tests.storm --seconds $(SECONDS_LONG) $(if $(SEED),--seed $(SEED))

# Coverage-guided fuzzing of the reader and the linter. MAX bounds it in seconds; a failing input is kept in .fuzz.
MAX ?= 600
fuzz: $(VENV)/.ready
	@mkdir -p .fuzz
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev,fuzz]'
	$(BIN)/python -m tests.lint.fuzz -max_total_time=$(MAX) -artifact_prefix=.fuzz/

# Deliberate faults, one at a time: each must turn its tests red. A run that was interrupted goes on; FAULTS="ledger meter" chooses by name.
FAULTS ?=
mutants: $(VENV)/.ready
	$(BIN)/python -m tests.mutants $(FAULTS)

clean:
	rm -rf .mutants $(VENV) $(DEMO) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
