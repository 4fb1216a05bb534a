# On a machine with Python alone: `make run`, `make test`. Everything is installed into .venv, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

DOCS_STAMP := $(VENV)/.installed-docs
MATHJAX := docs/_static/mathjax/tex-svg.js
MATHJAX_SHA256 := d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882

.PHONY: help install run figure concentration routing law test test-slow test-long test-all check bench docs docs-quick constraints

help:
	@echo "make run       train, solve and compare the run of README's figure; results in runs/"
	@echo "make test      the default tests (test-slow, test-long: those marked so; test-all: all)"
	@echo "make check     ruff and mypy"
	@echo "make bench     whether something has become slower (ARGS=--keep: this is how fast it is)"
	@echo "make docs      the site, in build/docs (docs-quick: without the gallery's figures)"
	@echo "make install   set up $(VENV) alone; the targets above do so where needed (PYTHON=python3.12 chooses)"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "racedyn needs Python 3.11 or newer, and '$(PYTHON)' is not there. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "racedyn needs Python 3.11 or newer, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

run: $(STAMP)
	$(BIN)/racedyn run hierarchy --out runs --overwrite $(ARGS)

# The README's figure, drawn anew.
figure: run
	cp runs/hierarchy.png docs/hierarchy.png

# The tutorial's first figure: the published networks, half an hour.
concentration: $(STAMP)
	$(BIN)/racedyn reproduce shi2022.fig5 --out runs --overwrite
	cp runs/shi2022.fig5.png docs/concentration.png

# The README's second figures, those of docs/concentration.md: some 70 minutes on two cores.
law: $(STAMP)
	$(BIN)/racedyn reproduce concentration.law --out runs --overwrite
	$(BIN)/racedyn reproduce concentration.projectors --out runs --overwrite
	cp runs/concentration.law.png docs/law.png
	cp runs/concentration.projectors.png docs/projectors.png

# The tutorial's second figure: routing at published settings, a minute.
routing: $(STAMP)
	$(BIN)/racedyn reproduce saxe2022.fig4 --out runs --overwrite
	cp runs/saxe2022.fig4.png docs/routing.png

test: $(STAMP)
	$(BIN)/python -m pytest $(ARGS)

# pytest says 5 where no test is marked slow.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow $(ARGS) || test $$? -eq 5

# The cases that the figures in docs/ are measured on, most of an hour; CI runs a part of each.
test-long: $(STAMP)
	$(BIN)/python -m pytest -m long $(ARGS)

test-all: $(STAMP)
	$(BIN)/python -m pytest -m "" $(ARGS)

check: $(STAMP)
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy

# Ratios to peers against benchmarks/kept.json, five minutes at most.
bench: $(STAMP)
	$(BIN)/python benchmarks/guard.py $(ARGS)

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt -e '.[docs]'
	@touch $@

# One file, with its fonts, so that formulas need no other host.
$(MATHJAX):
	@command -v npm >/dev/null 2>&1 || { echo "make docs takes MathJax from npm, which is not there." >&2; exit 1; }
	@mkdir -p build/mathjax $(@D)
	cd build/mathjax && npm pack --silent mathjax@3.2.2 && tar xzf mathjax-3.2.2.tgz package/es5/tex-svg.js
	echo "$(MATHJAX_SHA256)  build/mathjax/package/es5/tex-svg.js" | sha256sum -c -
	cp build/mathjax/package/es5/tex-svg.js $@

# Warnings and broken references are errors.
docs: $(DOCS_STAMP) $(MATHJAX)
	$(BIN)/python -m sphinx -b html -n -W --keep-going docs build/docs $(ARGS)

docs-quick: ARGS += -D plot_gallery=0
docs-quick: docs

# Names, versions and markers only: pip refuses a local package beside hashes, and torch's wheels differ by machine.
constraints:
	uv pip compile --universal --python-version 3.11 --no-header --no-annotate --upgrade --quiet \
	  --extra dev --extra docs pyproject.toml --output-file constraints.txt
