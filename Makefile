# Every target makes what it needs from nothing, its own virtual environment included.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready-for-development
BENCH := $(VENV)/.ready-for-benchmarks
MUTANTS := $(VENV)/.ready-for-mutants
EMULATORS := .emulators/.ready

# The pure core, whose branches are covered to the last (docs/architecture.md).
CORE := slowsched/errors.py,slowsched/model.py,slowsched/reports.py,slowsched/diagnosis.py,slowsched/wording.py,slowsched/timing.py,slowsched/canonical.py,slowsched/sensitive.py,slowsched/schema_places.py,slowsched/task_file.py,slowsched/lifecycle.py,slowsched/decision.py,slowsched/trailers.py,slowsched/limits.py,slowsched/plan.py,slowsched/three_way.py,slowsched/render/*

.DEFAULT_GOAL := help
.PHONY: help demo demo-aws test check format format-check lint types coverage bench simulate mutants fuzz dist emulators zip clean

help:
	@echo "make demo    the main job, from a task file to its recorded outcome, on the embedded backend"
	@echo "make demo-aws  the same on AWS, on an emulator of it: Terraform, the timers, the function; needs no account"
	@echo "make test    all tests"
	@echo "make check   format, lint, types, tests with coverage: what CI runs"
	@echo "make bench   speed and memory beside their floors"
	@echo "make simulate  apply, arm and wake through years of faults, then with every rule left out; SEEDS=NUMBER"
	@echo "make mutants  which changes of the core no test would notice; ten minutes"
	@echo "make fuzz    what reads files, settings and rows, on inputs chosen by coverage; two minutes, or TIME=SECONDS"
	@echo "make format  put the code in order"
	@echo "make emulators  what the tests of the AWS parts run against, in .emulators/"
	@echo "make zip     the worker for AWS Lambda, terraform/function.zip"
	@echo "make dist    a wheel and a source archive in dist/"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# slowsched itself, nothing else: what the demo needs.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

# ... and the tools of development.
$(READY): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(INSTALLED)

demo: $(INSTALLED)
	@PATH="$(abspath $(BIN)):$$PATH" sh scripts/demo.sh

# Three to four minutes, most of it waiting for the minute at which a task fires by itself.
demo-aws: $(READY) emulators
	@$(BIN)/python scripts/demo_aws.py

# Measured, so that `make check` need not run them twice. Parts that this machine lacks are named, and left out.
# More processes than cores, because much of it waits: for a minute to come, for an emulator, for a killed process.
test: $(READY) emulators
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses 4 --dist loadfile

check: $(READY) format-check lint types test coverage

format-check: $(READY)
	$(BIN)/ruff format --check .

lint: $(READY)
	$(BIN)/ruff check .

types: $(READY)
	$(BIN)/mypy

# What `make test` came to: the whole at least 95 %, the core 100 %, branches counted.
coverage: $(READY)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95
	$(BIN)/coverage report --fail-under=100 --include='$(CORE)'

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# ... and a peer to measure beside; the benchmarks say so when it could not be installed.
$(BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench,lambda]' \
	  && touch $@ || echo "octoDNS could not be installed"

bench: $(BENCH)
	$(BIN)/python benchmarks/run.py

$(MUTANTS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,mutants]'
	@touch $@

# Needs no emulator. MUTANTS_PROCESSES=1 leaves a processor to others.
# Two to three minutes; a seed that fails is told by `python -m simulation story SEED` (tests/simulation/README.md).
SEEDS ?= 1000
simulate: $(READY)
	cd tests && ../$(BIN)/python -m simulation run --seeds $(SEEDS)
	cd tests && ../$(BIN)/python -m simulation crowds
	cd tests && ../$(BIN)/python -m simulation mutations

mutants: $(MUTANTS)
	$(BIN)/python tests/mutation/run.py

# Only where atheris is installed: Linux on x86-64. What reaches new code is kept in build/fuzz for the next time.
TIME ?= 120
fuzz: $(READY)
	$(BIN)/python tests/fuzz/campaign.py --seconds $(TIME)

# Emulators of AWS and Terraform, apart from our own environment. What a machine lacks is named, and left out.
emulators: $(EMULATORS)

$(EMULATORS): $(addprefix tests/emulators/,install.sh inside_dynamodb_local/Loopback.java requirements.txt requirements-scan.txt package.json) constraints.txt
	@PYTHON='$(PYTHON)' sh tests/emulators/install.sh

# The function that Terraform deploys: equal input, equal bytes.
zip: $(READY)
	$(BIN)/slowsched package

dist: $(READY)
	$(BIN)/python -m build --outdir dist

clean:
	rm -rf $(VENV) .emulators build dist mutants terraform/function.zip .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis
