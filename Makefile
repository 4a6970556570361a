# The whole interface for contributors; continuous integration calls the same targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Bears the checkout's place: a copied or moved .venv still points to where it was built.
STAMP := .venv/.complete-$(shell pwd | cksum | cut -d' ' -f1)
BIN := .venv/bin
CODE := thawline/*.py pipeline components schemas tests benchmarks setup.py

.PHONY: help setup run test test-unit test-e2e test-orchestrators golden airflow-demo flink-demo spark-demo serve-check bench mutants docs lint format types doctor lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## build or refresh .venv from the lock (PYTHON=... chooses the interpreter)

$(STAMP): requirements.lock setup.py \
  pipeline/environment/environment.sh pipeline/environment/glibc_compat.py pipeline/environment/native_builds.py
	@pipeline/environment/environment.sh $(STAMP)

run: setup ## run the pipeline on the default project (ARGS=... are passed on)
	@$(BIN)/thawline run --demo $(ARGS)

test: setup test-unit test-e2e ## run all tests

test-unit: setup ## run the fast tests, in parallel
	$(BIN)/python -m pytest -m 'not e2e and not orchestrators' -n auto --maxprocesses 8 --dist loadfile $(ARGS)

test-e2e: setup ## run whole pipelines, two at a time: each has long stretches on one core
	$(BIN)/python -m pytest -m e2e -n 2 --dist loadfile $(ARGS)

test-orchestrators: setup ## run the pipeline under schedulers and engines of others
	$(BIN)/python -m pytest -m orchestrators -n 2 --dist loadfile $(ARGS)

golden: setup ## write the files that hold what people read anew, after a change of wording
	THAWLINE_UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q -m golden $(ARGS)

flink-demo: setup ## run the solar cells on a Flink cluster started here (ARGS=PROJECT, --kill NODE)
	@$(BIN)/python -m thawline.pipeline.tools.cluster_demo.demo flink $(ARGS)

spark-demo: setup ## run the solar cells on a Spark cluster started here (ARGS=PROJECT, --kill NODE)
	@$(BIN)/python -m thawline.pipeline.tools.cluster_demo.demo spark $(ARGS)

airflow-demo: setup ## run the solar cells under Airflow, installed apart (ARGS=PROJECT, --once)
	@$(BIN)/python -m thawline.pipeline.tools.airflow_demo.demo $(ARGS)

serve-check: setup ## ask the servers that are here what clients ask (ARGS=--model PATH)
	@$(BIN)/python -m thawline.pipeline.tools.serve_check $(ARGS)

bench: setup ## run the benchmarks and write their results
	$(BIN)/python -m benchmarks $(ARGS)

mutants: setup ## make small faults in the code and see which ones no test notices (ARGS=gate)
	@$(BIN)/python -m thawline.pipeline.tools.mutants $(ARGS)

docs: setup ## rewrite the config reference and the JSON Schema from the code
	$(BIN)/python -m thawline.pipeline.tools.write_docs

lint: setup ## check style, formatting and the layout's rules
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/python -m thawline.pipeline.tools.import_graph

format: setup ## apply style and formatting
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

types: setup ## check types
	$(BIN)/mypy

doctor: setup ## say whether the environment is sound
	@$(BIN)/thawline doctor

lock: setup ## resolve setup.py into requirements.lock (ARGS=--upgrade for new versions)
	$(BIN)/uv pip compile setup.py --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
	  --output-file requirements.lock --quiet $(ARGS)
	for place in 3.3:pipeline/tools/airflow_demo/airflow-3.lock 2.11:tests/orchestrators/airflow-2.lock; do \
	  $(BIN)/uv pip compile - <<< "apache-airflow==$${place%%:*}.*" --universal --python-version 3.11 \
	    --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
	    --output-file $${place#*:} --quiet $(ARGS); \
	done

clean: ## remove the environment and all caches (not the runs)
	rm -rf .venv .venv.uv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find pipeline components schemas tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
