# Every target has one line of help behind `##`; `make` alone prints them.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Another package index for torch, such as PyTorch's index of CPU builds (README, "Installing").
TORCH_INDEX ?=
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PIP_COMPILE = $(VENV)-lock/bin/pip-compile --quiet --strip-extras --allow-unsafe --annotation-style=line --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options

# Where `make run` listens, and what `make stack` is told.
BIND ?= 127.0.0.1:8000
PORT ?= 8080
RATE ?= 10
# Which benchmark `make bench` runs, and with which arguments.
BENCH ?= efficiency
BENCH_ARGS ?=
# What `make models` does: list, or for example ARGS="promote KEY".
ARGS ?=
# Further arguments of pytest, for example PYTEST_ARGS="tests/nginx -k limit".
PYTEST_ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- Running ---------------------------------------------------------------------------------------------------------

.PHONY: run
run: $(VENV)/.run ## Install what is needed and serve on 127.0.0.1:8000, jobs included (BIND=HOST:PORT for elsewhere)
	@echo 'Hush starts on http://$(BIND)/, to be opened in a browser. From another terminal, for example:'
	@echo '    curl http://$(BIND)/models'
	@echo '    curl -F audio_file=@tests/data/noisy.wav http://$(BIND)/predict -o clean.wav'
	@echo 'Ctrl-C stops it.'
	@HUSH_BIND=$(BIND) exec $(BIN)/python -m api.jobs.together

.PHONY: stack
stack: $(VENV)/.run ## The same behind the real nginx on 127.0.0.1:8080 (PORT=, RATE= requests a minute, 0 = no limit)
	@exec $(BIN)/python -m nginx.stack --port $(PORT) --rate $(RATE)

# ---- Checking --------------------------------------------------------------------------------------------------------

.PHONY: test
test: $(VENV)/.dev ## Install what the tests need and run all of them (PYTEST_ARGS= for pytest)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-cloud
test-cloud: $(VENV)-cloud/.done ## Everything about image and stack: moto, a real bake, a fleet of three (root; 25 minutes)
	$(VENV)-cloud/bin/python -m pytest -m '' tests/cloud $(PYTEST_ARGS)

.PHONY: test-containers
test-containers: $(VENV)-cloud/.done ## Build the container images with buildah and run them, and compose.yaml with podman (root; minutes)
	$(VENV)-cloud/bin/python -m pytest -m '' tests/containers $(PYTEST_ARGS)

.PHONY: test-faults
test-faults: $(VENV)/.dev ## Everything that breaks, for real and at length, and the table of it (root for some; 40 minutes)
	@mkdir -p .run && rm -f .run/faults.jsonl
	HUSH_FAULTS_REPORT=$(CURDIR)/.run/faults.jsonl $(BIN)/python -m pytest -m 'not cloud_long' --timeout 1800 tests/faults $(PYTEST_ARGS)
	$(BIN)/python -m tests.faults.report .run/faults.jsonl

.PHONY: test-load
test-load: $(VENV)/.dev ## Every plan of jmeter/ for real, briefly, against nginx and gunicorn (Java; 8 minutes)
	$(BIN)/python -m pytest -m '' tests/jmeter $(PYTEST_ARGS)

.PHONY: coverage
coverage: $(VENV)/.dev ## All tests, with the line coverage of api and inference, server processes included
	$(BIN)/python -m pytest --cov --cov-report=term $(PYTEST_ARGS)

.PHONY: bench
bench: $(VENV)/.dev ## Run one of benchmarks/ (BENCH=efficiency, BENCH_ARGS="--help" for its options)
	$(BIN)/python -m benchmarks.$(BENCH) $(BENCH_ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## ruff, mypy --strict, import boundaries, bandit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --configfile .ci/bandit.yaml --recursive .

.PHONY: audit
audit: $(VENV)/.dev ## Look the pinned packages up among known holes (needs the index itself, mirrors do not know)
	$(BIN)/python .ci/audit requirements.txt requirements-dev.txt

.PHONY: format
format: $(VENV)/.dev ## Let ruff put the code in order
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# ---- Load tests (jmeter/README.md) -----------------------------------------------------------------------------------

# The plan, and its properties by their names in capitals, on the command line only: an environment may have a HOST, too.
# `path` is not among them, as PATH is taken; an API key is taken from KEY, also of the environment.
PLAN ?= smoke
LOAD_ARGS ?=
LOAD_NAMES = HOST PORT SCHEME MODEL FORMAT RECORDINGS TIMEOUT_MS CACHED LATENCY_FACTOR ROWS BURST LIMITS \
	ARRIVALS RAMP DURATION INCREASE STEPS PEAK WARM_UP DRAIN SEED
LOAD_GIVEN = $(foreach name,$(LOAD_NAMES),$(if $(filter command,$(origin $(name))), \
	--$(shell echo $(name) | tr A-Z_ a-z-)='$($(name))'))

.PHONY: load
load: $(VENV)/.run ## Run a JMeter plan, with report and verdict (PLAN=smoke, HOST=, PORT= ..., LOAD_ARGS=--help)
	@$(BIN)/python -m jmeter $(PLAN) $(LOAD_GIVEN) $(LOAD_ARGS)

# ---- Making ----------------------------------------------------------------------------------------------------------

.PHONY: picture
picture: $(VENV)/.dev ## Draw the README's spectrograms and take the picture of the listening page (Chromium) again
	$(BIN)/python -m docs.pictures.spectrogram
	$(BIN)/python -m docs.pictures.listening_page

.PHONY: lock
lock: $(VENV)-lock/bin/pip-compile ## Compile requirements*.in to pinned requirements*.txt
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements.txt requirements.in
	@# Which build of torch (+cpu, +cu...) is installed is chosen by the index, not by the pin.
	sed -i.bak -E 's/^(torch==[0-9.]+)\+[a-z0-9]+ */\1             /' requirements.txt
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements-dev.txt requirements-dev.in
	sed -i.bak -E 's/^(torch==[0-9.]+)\+[a-z0-9]+ */\1             /' requirements-dev.txt
	rm -f requirements.txt.bak requirements-dev.txt.bak
	$(PIP_COMPILE) $(LOCK_ARGS) --output-file requirements-cloud.txt requirements-cloud.in
	@# The image's pins: the same versions, with the hashes of their files (of torch: the build that the index has).
	$(PIP_COMPILE) --generate-hashes --no-annotate --output-file packer/requirements.lock requirements.txt

.PHONY: models
models: $(VENV)/.run ## List, add, promote, verify models (ARGS="promote KEY"; docs/operations.md, "Models")
	@$(BIN)/python -m inference.models $(or $(ARGS),list)

.PHONY: clean
clean: ## Remove what the targets made: .venv, .run and caches
	rm -rf $(VENV) $(VENV)-lock $(VENV)-cloud .run .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage*
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

# ---- Deploying (docs/deployment.md) ----------------------------------------------------------------------------------

# Region of the image and the stack, the image to deploy, further arguments of terraform.
REGION ?=
IMAGE ?=
TF_ARGS ?=
TERRAFORM = terraform -chdir=terraform

.PHONY: bake
bake: ## Bake the machine image of a commit (REGION=, TORCH_INDEX=, COMMIT=HEAD) and print its id
	@REGION='$(REGION)' TORCH_INDEX='$(TORCH_INDEX)' COMMIT='$(COMMIT)' packer/bake build

.PHONY: plan
plan: ## Show what `make deploy` would change (REGION=, IMAGE=ami-..., TF_ARGS=)
	@$(TERRAFORM) init -input=false >/dev/null
	@$(TERRAFORM) plan -var region=$(REGION) $(if $(IMAGE),-var image_id=$(IMAGE)) $(TF_ARGS)

.PHONY: deploy
deploy: ## Make the stack, or roll it to another image (REGION=, IMAGE=ami-..., TF_ARGS=)
	@$(TERRAFORM) init -input=false >/dev/null
	@$(TERRAFORM) apply -var region=$(REGION) $(if $(IMAGE),-var image_id=$(IMAGE)) $(TF_ARGS)

# ---- Environments ----------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'Python 3.11 or newer is needed; name it with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot make virtual environments. Debian, Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than the pins they were installed from, so pins that change are installed at the next call.
$(VENV)/.run: requirements.txt | $(BIN)/python
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

$(VENV)-cloud/.done: requirements-cloud.txt
	$(PYTHON) -m venv $(VENV)-cloud
	$(VENV)-cloud/bin/python -m pip install --disable-pip-version-check -r requirements-cloud.txt
	@touch $@

$(VENV)-lock/bin/pip-compile:
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --disable-pip-version-check pip-tools==7.6.2
