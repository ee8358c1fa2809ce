# Two commands set everything up: `make demo` and `make test`. Nothing but Python >= 3.11 (with venv), git and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Spark is half a gigabyte: only its tests need it, and they need Java.
SPARK := $(if $(shell command -v java),$(VENV)/.spark)

.PHONY: demo test lint bench lock clean

demo: $(READY)
	@$(BIN)/tightener --config sample_logs/tightener.yaml ingest
	@$(BIN)/tightener --config sample_logs/tightener.yaml suggest --agent claude-invoice-01

test: $(READY) $(SPARK)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal --cov --cov-report=term:skip-covered

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python bench/run.py

$(READY): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("tightener needs Python 3.11 or newer; set PYTHON=" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
# The lock is complete: without --no-deps, pip looks for newer versions of what a package asks for with an extra, and refuses them.
	@echo "Installing the locked dependencies into $(VENV) (first time only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.spark: $(READY) requirements-spark.lock
	@echo "Installing Apache Spark into $(VENV) (first time only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-spark.lock
	@touch $@

# Needs uv; writes the locks that every other target installs from.
lock:
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-emit-index-url --no-annotate --quiet -o requirements.lock
	uv pip compile --group pyproject.toml:spark --universal --generate-hashes --no-emit-index-url --no-annotate --quiet -o requirements-spark.lock

clean:
	rm -rf $(VENV) .tightener sample_logs/.tightener
