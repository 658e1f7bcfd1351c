# Every target sets itself up: Python 3.11 or newer, make and a package index are all it takes.

# Compiled modules are kept, whatever the environment says: else every process compiles them again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := .demo

.PHONY: browser foreign-servers small-model galleries demo demo-agents bench-demo docs release test deep coverage matrix lint bench bench-serve command-lines derived-programs storm fuzz sandbox-table mutants conformance conformance-ablation calibration cluster-demo storm-cluster storm-ablations bench-cluster clean

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Two stages, each with the exact versions that were tried together. The first is what the demo needs and no more:
# workermd without extras, compiled when it is first imported.
$(VENV)/.base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "workermd needs Python 3.11 or newer; set PYTHON=python3.x"; exit 2; }
	@echo "Making $(VENV), a virtual environment, and installing workermd into it without its extras ..."
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --no-compile --editable .
	@touch $@

$(VENV)/.ready: $(VENV)/.base
	@echo "Installing every backend's framework, and what the tests need, into $(VENV) ..."
	@$(INSTALL) --editable '.[all,dev]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true # some packages carry templates that are no Python
	@touch $@

# Check the shipped contracts (the suites beside them need an extra), and validate a record set with one. A second run has the same run_id: it is replayed.
demo: $(VENV)/.base
	@mkdir -p $(DEMO)
	$(BIN)/workermd validate "contracts/*.worker.md"
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

# Two shipped suites, with a scripted server where a model is needed, and the page of each.
bench-demo: $(VENV)/.ready
	$(BIN)/python -m tests.bench.demo $(DEMO)/bench

# The shipped contracts for agents against a gateway, a mock server and a local inference server of others, each in an environment of its own below .abroad. Needs Node.js, a compiler and package indexes.
foreign-servers: $(VENV)/.ready
	$(BIN)/python -m tests.abroad.servers

# How often a very small model fills three fields of a ticket, with constrained decoding and without.
small-model: $(VENV)/.ready
	$(BIN)/python -m tests.abroad.small_model

# Which teams of AutoGen, and which declarative files of Agent Framework, load out of a clone of yours: DIR is it, or a folder of several.
galleries: $(VENV)/.ready
	@test -n "$(DIR)" || { echo "name the folder: make galleries DIR=path/to/clones"; exit 2; }
	$(BIN)/python -m tests.abroad.galleries $(DIR)

# The site, from docs/, into site/. A link that leads nowhere stops it.
docs: $(VENV)/.ready
	@$(INSTALL) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Sdist, wheel and a bill of materials, into dist/: what the workflow of a tag publishes.
release: $(VENV)/.ready
	@$(INSTALL) --editable '.[release]'
	rm -rf dist
	$(BIN)/python -m tests.release $(if $(RELEASE_TAG),--tag $(RELEASE_TAG))

# The whole test suite, with twice as many processes as there are cores. TESTS names a part of it.
TESTS ?=
test: $(VENV)/.ready browser
	$(BIN)/python -m pytest -n auto --dist worksteal $(TESTS)

# What `make test` leaves out: every kind of agents with every script, and what takes long and is a case more of the same.
deep: $(VENV)/.ready browser
	$(BIN)/python -m pytest -n auto --dist worksteal -m deep $(TESTS)

# Chromium for the studio's tests, by apt where that can be used; where there is none they are skipped and say so.
browser:
	@command -v chromium || command -v chromium-browser || command -v google-chrome || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get && apt-get -qq update && apt-get -qq install -y chromium; } >/dev/null 2>&1 || \
	  echo "There is no Chromium, and apt cannot bring one: the studio's browser test is skipped."

# How much of the code the tests run, child processes and forks included: at least 95 %. It takes about twice as long.
coverage: $(VENV)/.ready
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n auto --dist worksteal -m "not uncovered" $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --skip-covered --fail-under=95

# The suite on every supported interpreter that is found here, each in an environment of its own under .nox.
matrix: $(VENV)/.base
	$(INSTALL) --editable '.[matrix]'
	$(BIN)/python -m nox $(if $(TESTS),-- $(TESTS))

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Figures for docs/benchmarks.md: medians and ratios to a baseline measured in the same run.
bench: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev,measure]'
	$(BIN)/python -m tests.benchmarks

# What a server costs, and whether it keeps its word when it is killed; some minutes.
bench-serve: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.serving

# What derive says of command lines, counted against the programs themselves. Needs git, a network and a package index.
command-lines: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.command_lines $(if $(FOLDER),--folder $(FOLDER)) -v

# Contracts derived from real command lines, bound and run with inputs that mean something. Needs the same.
derived-programs: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.derived_programs $(if $(FOLDER),--folder $(FOLDER))

# What the confidence of derived claims means: the shares fitted again on labelled repositories, and held against others.
calibration: $(VENV)/.ready
	$(BIN)/python -m tests.benchmarks.calibration

# The properties of the ledger and the command line with all their examples, and what one kind of agents stands for with all; crash points in pairs, seeded faults and a kill storm. SECONDS_LONG bounds the storm; SEED repeats one.
SECONDS_LONG ?= 300
SEED ?=
cluster-demo: $(VENV)/.ready
	$(BIN)/python -m tests.cluster.demo

bench-cluster: $(VENV)/.ready
	$(BIN)/python -m tests.cluster.bench

storm-cluster: $(VENV)/.ready
	$(BIN)/python -m tests.cluster.storm $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

storm-ablations: $(VENV)/.ready
	$(BIN)/python -m tests.cluster.storm --ablate $(or $(ABLATE),all)

storm: $(VENV)/.ready
	WORKERMD_EXAMPLES=deep $(BIN)/python -m pytest -q tests/ledger/test_model.py tests/cli/test_table.py \
	  tests/backends/agents/test_mcp.py tests/backends/agents/test_tools.py tests/backends/agents/test_watching.py
	WORKERMD_BATCH_STORM=$(SECONDS_LONG) $(if $(SEED),SEED=$(SEED)) $(BIN)/python -m pytest -q --timeout $$(( $(SECONDS_LONG) + 600 )) tests/batch/test_batch_storm.py
	$(BIN)/python -m tests.storm --seconds $(SECONDS_LONG) $(if $(SEED),--seed $(SEED))

# The properties of contracts and rules with all their examples; coverage-guided fuzzing of the reader and the linter. MAX bounds it in seconds; a failing input is kept in .fuzz.
MAX ?= 600
fuzz: $(VENV)/.ready
	@mkdir -p .fuzz
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all,dev,fuzz-reader]'
	WORKERMD_EXAMPLES=deep $(BIN)/python -m pytest -q -n auto tests/contract tests/lint
	$(BIN)/python -m tests.lint.fuzz -max_total_time=$(MAX) -artifact_prefix=.fuzz/

# What runs in the sandbox and what does not: shipped workers, frameworks, programs, and MCP servers in NPM (a folder) and PYPI (a virtual environment).
NPM ?=
PYPI ?=
sandbox-table: $(VENV)/.ready
	$(BIN)/python -m tests.sandbox.compatibility $(if $(NPM),--npm $(NPM)) $(if $(PYPI),--python $(PYPI))

# Deliberate faults, one at a time: each must turn its tests red. A run that was interrupted goes on; FAULTS="ledger meter" chooses by name.
FAULTS ?=
mutants: $(VENV)/.ready
	$(BIN)/python -m tests.mutants $(FAULTS)

# The conformance kit over workermd and over the two other runtimes that the tests keep.
conformance: $(VENV)/.ready
	$(BIN)/workermd conformance -q
	$(BIN)/workermd conformance -q --runtime tests/testing/conformance/runtimes/node.toml
	$(BIN)/workermd conformance -q --runtime tests/testing/conformance/runtimes/shell.toml

# Rules taken out of a copy of workermd, one at a time: the kit's cases must turn red.
conformance-ablation: $(VENV)/.ready
	$(BIN)/python -m tests.testing.conformance.ablation

clean:
	rm -rf site dist .mutants $(VENV) $(DEMO) .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
