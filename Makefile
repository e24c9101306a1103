# make smoke | test | coverage | desk | result R=goal/fig4 | keep | lint | bench | verify | report |
#      dist | slurm | kubernetes | clean
#
# Every target first makes the environment .venv, from constraints.txt with pip. pip looks where it
# is configured to look: to have torch without CUDA, point PIP_EXTRA_INDEX_URL to PyTorch's index
# of CPU builds. Other knobs: JOBS (cores), SCALE (a file in config/), PYTHON (3.11 or newer), VENV
# and CONSTRAINTS, such as CONSTRAINTS=constraints-lowest.txt, which `make lowest` writes. ANEW=1 has
# `make verify` build everything twice; LESS=1 has `make keep` keep less than before.

JOBS ?= 2
SCALE ?= desk
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints.txt
R ?= goal/fig4

SHELL := /bin/bash
export PATH := $(abspath $(VENV))/bin:$(PATH)
export OMP_NUM_THREADS := 1
export PYTHONHASHSEED := 0
# A process that keeps no compiled modules compiles all that it imports, for seconds, and so does the
# next; the pipeline and the tests start some hundreds.
unexport PYTHONDONTWRITEBYTECODE
READY := $(VENV)/ready
# An environment names its folder in its scripts, and the code that it runs. One that was moved or
# copied with the project is made anew.
MOVED := $(shell test -s $(READY) && test "$$(cat $(READY))" != "$(abspath $(VENV))" && echo yes)
SNAKEMAKE := snakemake --cores $(JOBS)
BENCHES := $(filter-out common __init__,$(basename $(notdir $(wildcard perf/*.py))))

.PHONY: moved help smoke desk result keep test test-fast coverage lint lowest bench verify report dist \
    slurm kubernetes clean lint-types lint-style lint-workflow

help:
	@sed -n 1,2p Makefile

moved:
	@echo "$(VENV) is of another folder: it is made anew"

# Without --no-compile pip compiles all modules, of which most are never imported; those that the
# project and Snakemake import are compiled here, once, and not by the first jobs side by side. So
# are numba's functions.
$(READY): $(CONSTRAINTS) pyproject.toml $(if $(MOVED),moved)
	$(PYTHON) -m venv $(if $(MOVED),--clear) $(VENV)
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint $(CONSTRAINTS) \
	    --editable '.[dev]'
	$(VENV)/bin/python workflow/scripts/compile.py
	$(VENV)/bin/snakemake --help > /dev/null
	echo "$(abspath $(VENV))" > $@

smoke: $(READY)
	$(SNAKEMAKE) --config scale=smoke
	snakemake --quiet --report results/smoke/report.html --config scale=smoke

desk: $(READY)
	$(SNAKEMAKE) --config scale=desk

result: $(READY)
	dagnas plan $(R) --config config/$(SCALE).yaml --pull
	$(SNAKEMAKE) $(subst /,_,$(R)) --config scale=$(SCALE)

# What is made of the desk goes into DVC's store, to be committed.
keep: $(READY)
	LESS=$(LESS) python workflow/scripts/keep.py

test: $(READY)
	pytest -n $(JOBS) --dist loadfile

test-fast: $(READY)
	pytest -n $(JOBS) --dist loadfile -m "not slow"

coverage: $(READY)
	pytest -n $(JOBS) --dist loadfile --cov --cov-report=term --cov-report=xml

# Lowest versions that pyproject.toml allows on its lowest Python; needs uv, which is not in .venv.
lowest:
	uv pip compile --quiet --no-annotate --extra dev --resolution lowest-direct \
	    --python-version 3.11 --custom-compile-command "make lowest" \
	    --output-file constraints-lowest.txt pyproject.toml

# Types take as long as all the rest, so they are checked beside it.
lint: $(READY)
	$(MAKE) --no-print-directory --jobs $(JOBS) --output-sync lint-types lint-style lint-workflow

lint-types:
	mypy

lint-style:
	ruff check .
	ruff format --check .
	lint-imports

lint-workflow:
	snakefmt --check Snakefile workflow
	snakemake --lint --config scale=smoke
	dagnas config check config/*.yaml

bench: $(READY)
	for name in $(BENCHES); do python -m perf.$$name || exit; done

verify: smoke
	ANEW=$(ANEW) bash workflow/scripts/verify.sh smoke $(JOBS)

# The site in build/site, of the results in git; beside it Snakemake's own report, where all that
# the scale makes is there.
report: $(READY)
	mkdocs --version > /dev/null 2>&1 || python -m pip install --quiet --no-compile \
	    --constraint $(CONSTRAINTS) --editable '.[dev]'
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	snakemake --report results/$(SCALE)/report.html --config scale=$(SCALE) > build/report.log 2>&1 \
	    || echo "Snakemake's own report was not made: build/report.log says why"

# Source distribution in dist/, and the wheel that is built of it.
dist: $(READY)
	rm -rf dist
	python -m build --no-isolation --outdir dist

# A target on a Slurm of one node, which ends with it: T=goal_ablation. Needs Debian's packages
# slurmctld, slurmd, slurm-client and munge.
slurm: $(READY)
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint $(CONSTRAINTS) \
	    --editable '.[dev,slurm]'
	bash workflow/scripts/slurm.sh $(T)

# What would run on Kubernetes, by its profile; a folder stands for the bucket, and nothing is sent.
kubernetes: $(READY)
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint $(CONSTRAINTS) \
	    --editable '.[dev,kubernetes]' snakemake-storage-plugin-fs
	snakemake --dry-run --quiet rules --profile workflow/profiles/kubernetes --container-image dagnas \
	    --default-storage-provider fs --default-storage-prefix build/bucket --config scale=smoke

# Results of the smoke scale that git has are kept: it can tell which these are.
clean:
	git clean -dfxq results/smoke
	rm -rf logs build dist .coverage* coverage.xml \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis
