# Every target is complete by itself on a fresh Debian 12 machine with python3, python3-venv and make.
PYTHON ?= python3
# Tests start hundreds of processes: each would compile everything of ours again.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
# A part of the tests may be in one of the two runs only; pytest says 5 where it has none.
NONE_IS_FINE = $(if $(ARGS),|| [ $$? -eq 5 ])

# Of tests that share sockets and processors with others, five of each of the two runs may fail once: docs/decisions/0041-second-attempts.md.
AGAIN = --max-suite-reruns=5 --rerun-show-tracebacks

.PHONY: simulate test check venv venv-dev bench campaign scale plots package lock clean

simulate: venv  ## run the default lines on embedded defaults: make simulate ARGS="--for 30s --json"
	@$(BIN)/agent simulate $(ARGS)

test: venv-dev  ## install what the tests need, then run every test
	@deploy/test-components.sh
	@$(BIN)/python -m pytest -q $(AGAIN) -n 4 --dist worksteal -m "not alone" $(ARGS) $(NONE_IS_FINE)
	@$(BIN)/python -m pytest -q $(AGAIN) -n 0 -m alone $(or $(ARGS),tests/faults) $(NONE_IS_FINE)

check: venv-dev  ## lint, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: venv-dev  ## values per CPU-second of each stage; the last line is one JSON object
	@$(BIN)/python -m benchmarks $(ARGS)

campaign: venv-dev  ## the long runs: ARGS="connectors", "reliability", "kills", "soak", "lines", "pages" or "reports" for one, "reliability -k NAME" for some tests
	@deploy/test-components.sh $(if $(filter reports,$(or $(ARGS),reports)),libreoffice-calc)
	@$(BIN)/python -m tests.campaign $(ARGS)

scale: venv-dev  ## 20,000 tags of one OPC UA server, each changing once a second, read and judged: docs/results/scale.md
	@$(BIN)/python -m tests.campaign scale

plots: venv-dev  ## one simulated shift per line as pictures into docs/lines/: ARGS="heat_treatment" for one
	@$(BIN)/python -m simulators.plots $(ARGS)

package: venv-dev  ## build the wheel and the source archive into dist/
	@$(BIN)/python -m build --outdir dist . 1>&2

venv: $(VENV)/.runtime  ## .venv/ with the locked dependencies
venv-dev: $(VENV)/.dev

$(VENV)/.runtime: requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 1>&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock 1>&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . 1>&2
	@touch $@

# One pass, since this lock has everything of the other one; compiled on all cores. compileall complains of templates.
$(VENV)/.dev: requirements.lock requirements-dev.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) 1>&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements-dev.lock 1>&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e . 1>&2
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $(VENV)/.runtime $@

lock: venv-dev  ## resolve the dependencies again
	@$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-header --no-annotate --group dev -c requirements.lock -o requirements-dev.lock

clean:
	@rm -rf $(VENV) dist build .ci/tmp
