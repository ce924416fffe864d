# make demo [MNIST=DIR]   train on digits (or MNIST), in its own virtual environment
# make test               all tests, in a new virtual environment, a process per core
# make test-wheels        every wheel in dist, installed, by every interpreter found
# make test-pages         tests of HTML pages in the Chromium that is installed, headless
# make test-mpi           fits on 1 to 8 processes, every case on each; joblib, Dask, Ray, Optuna
# make lint               ruff, cython-lint, import-linter and mypy, in the tests' environment
# make bench [MNIST=DIR]  all benchmarks with all peers: bench/results/<cpu>, in 25 minutes
# make bench-tables [TABLES=DIR]  tables, with other methods for them: half an hour
# make docs               this documentation as a site, both languages, in build/docs
# make docs-links         its links to other sites, checked; needs a network
# make fuzz [SECONDS=600]  random changes of files, which no reader may fail at
# make trust              every promise tried under what breaks it: some hours
# make sanitize           tests with the address and undefined-behaviour sanitizers
# make wheels             wheels for Linux, x86_64 and arm64, in dist/
# make clean              remove the files made by the others

PYTHON ?= python3
SOURCES := pyproject.toml setup.py $(shell find src -name '*.py' -o -name '*.p[yx][xdi]' -o -name '*.[ch]')

# Prints what bpcore and its demo need.
PRINT_NEEDS := import tomllib; \
	project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	extra = project["optional-dependencies"]["demo"]; \
	print(*project["dependencies"], *extra, sep="\n")
# Two at the same time: one downloads, the other compiles.
PIP_DEMO := .venv/bin/python -m pip install --quiet

BENCH := .venv-bench/bin/python -m bench

# The modules of trust that are commands with trials.
CAMPAIGNS := $(basename $(notdir $(shell grep -l '^    campaign.main' trust/*.py)))

# Warnings are errors; names without a target are warnings.
SPHINX := .venv-docs/bin/python -m sphinx --nitpicky --fail-on-warning --keep-going

.PHONY: demo test test-mpi test-wheels test-pages lint docs docs-links fuzz bench bench-tables results trust sanitize wheels clean

demo: .venv/installed
	@.venv/bin/bpcore demo $(if $(MNIST),--mnist "$(MNIST)")

.venv/installed: $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"bpcore needs Python 3.11 or later: make demo PYTHON=python3.12")'
	@$${CC:-cc} --version > /dev/null || \
		{ echo "bpcore needs a C compiler: $${CC:-cc} does not work" >&2; exit 1; }
	@echo "building bpcore for this processor into .venv (once): one to two minutes"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -c '$(PRINT_NEEDS)' > .venv/needs
	@$(PIP_DEMO) --no-compile --requirement .venv/needs & needs=$$!; \
		BPCORE_NATIVE=1 $(PIP_DEMO) --no-deps . || { kill $$needs; exit 1; }; \
		wait $$needs
	@touch $@

test:
	rm -rf .venv-test build
	$(PYTHON) -m venv .venv-test
	BPCORE_WERROR=1 .venv-test/bin/python -m pip install --quiet ".[test]"
	.venv-test/bin/python -m pytest -n auto --dist worksteal

test-mpi:
	test -d .venv-test || $(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet ".[test]" joblib dask distributed optuna ray
	BPCORE_TEST_MPI=all .venv-test/bin/python -m pytest tests/distributed

test-wheels:
	$(PYTHON) packaging/test_wheels.py $(TESTS)

# A missing browser is an error here; in `make test` these tests are skipped.
test-pages:
	test -d .venv-pages || $(PYTHON) -m venv .venv-pages
	BPCORE_NATIVE=1 .venv-pages/bin/python -m pip install --quiet ".[pages]"
	BPCORE_ENSURE_BROWSER=1 .venv-pages/bin/python -m pytest tests/tracing/page

fuzz:
	test -d .venv-test || $(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet ".[test]"
	PYTHONPATH=tests .venv-test/bin/python tests/fuzz.py $(SECONDS)

lint:
	test -d .venv-test || $(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet ".[lint]"
	.venv-test/bin/ruff check src tests bench trust docs examples packaging setup.py
	.venv-test/bin/ruff format --check src tests bench trust docs examples packaging setup.py
	PATH="$(CURDIR)/.venv-test/bin:$$PATH" cython-lint src/bpcore
	PYTHONPATH=src .venv-test/bin/lint-imports
	.venv-test/bin/mypy

docs: .venv-docs/installed
	$(SPHINX) docs build/docs
	test ! -f docs/zh/conf.py || $(SPHINX) docs/zh build/docs/zh
	@echo "written to build/docs/index.html"

docs-links: .venv-docs/installed
	$(SPHINX) -b linkcheck docs build/docs-links

.venv-docs/installed: $(SOURCES)
	test -d .venv-docs || $(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet ".[docs]"
	@touch $@

# (With $(MAKE) the last line would be run by `make -n` too.)
bench:
	test -d .venv-bench || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet ".[bench]"
	results="$$($(BENCH).cpu)" && make results RESULTS="$$results"

# Of this CPU only: the results of others stay.
results:
	test -n "$(RESULTS)"
	rm -f "$(RESULTS)"/*.json
	$(BENCH).kernels --seconds 0.5 --json $(RESULTS)/kernels.json
	$(BENCH).kernels --seconds 0.5 --dtype float64 --json $(RESULTS)/kernels_float64.json
	$(BENCH).grid --json $(RESULTS)/grid.json
	$(BENCH).grid --dtype float64 --json $(RESULTS)/grid_float64.json
	$(BENCH).step --json $(RESULTS)/step.json
	$(BENCH).step --dtype float64 --peers by_hand reference \
		--json $(RESULTS)/step_float64.json
	-$(BENCH).step 784-1024-1024-10 --batch 128 --isa x86_64_v3 --peers bpcore \
		--json $(RESULTS)/step_x86_64_v3.json  # fails on CPUs without it
	$(BENCH).predict --json $(RESULTS)/predict.json
	$(BENCH).training --json $(RESULTS)/training.json
	$(BENCH).sparse $(if $(MNIST),--mnist "$(MNIST)") --json $(RESULTS)/sparse.json
	$(BENCH).tracing --json $(RESULTS)/tracing.json
	$(BENCH).numerical --json $(RESULTS)/numerical.json
	$(BENCH).threads --json $(RESULTS)/threads.json
	$(BENCH).fann --json $(RESULTS)/fann.json
	$(BENCH).drop_ins $(if $(MNIST),--mnist "$(MNIST)") --json $(RESULTS)/drop_ins.json
	$(BENCH).memory --json $(RESULTS)/memory.json
	$(BENCH).files --json $(RESULTS)/files.json
	-$(BENCH).distributed --json $(RESULTS)/distributed.json  # fails without MPI
	-$(BENCH).cache --json $(RESULTS)/cache.json  # fails without Valgrind
	$(BENCH).summary

bench-tables:
	test -d .venv-bench || $(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip install --quiet ".[bench]"
	results="$$($(BENCH).cpu)" && $(BENCH).tabular $(if $(TABLES),--folder "$(TABLES)") \
		--json "$$results/tabular.json"

# All campaigns, also after one that failed.
trust:
	test -d .venv-test || $(PYTHON) -m venv .venv-test
	.venv-test/bin/python -m pip install --quiet ".[test]"
	results="trust/results/$$(basename "$$(.venv-test/bin/python -m bench.cpu)")"; failed=""; \
	for campaign in $(CAMPAIGNS); do \
		.venv-test/bin/python -m trust.$$campaign --json "$$results/$$campaign.json" \
			|| failed="$$failed $$campaign"; \
	done; \
	.venv-test/bin/python -m trust.summary; \
	test -z "$$failed" || { echo "failed:$$failed" >&2; exit 1; }

# Left out: what measures memory or time, limits it, or builds or starts other programs
# (a compiler, a browser, MPI, PyInstaller); and pages and benchmarks, which have no C.
NOT_SANITIZED := tests/benchmarks tests/csrc tests/distributed tests/docs tests/motion \
	tests/tracing/page tests/accel tests/test_pyinstaller.py tests/test_imports.py \
	tests/test_source_distribution.py tests/training/test_memory_of_fit.py \
	tests/tracing/test_memory_of_traces.py tests/engine/test_dispatch.py
SANITIZED := LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1 PYTHONMALLOC=malloc

# With Python's memory from malloc, so that every object has its own guard bands.
sanitize:
	rm -rf .venv-sanitize build
	$(PYTHON) -m venv .venv-sanitize
	BPCORE_DEBUG=1 .venv-sanitize/bin/python -m pip install --quiet ".[test]"
	$(SANITIZED) .venv-sanitize/bin/python -m trust.safety.hooks
	$(SANITIZED) .venv-sanitize/bin/python -m trust.safety.random_calls 0 20000
	$(SANITIZED) .venv-sanitize/bin/python -m trust.safety.finalizers 0 300
	$(SANITIZED) .venv-sanitize/bin/python -m pytest -n auto tests \
		$(addprefix --ignore=,$(NOT_SANITIZED)) --deselect tests/trust

# Needs GCC, that for arm64 too (aarch64-linux-gnu-gcc), and Python 3.11 and 3.12 or newer.
wheels:
	test -d .venv-wheels || $(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/python -m pip install --quiet ziglang auditwheel abi3audit
	.venv-wheels/bin/python packaging/wheels.py $(WHEELS)

clean:
	rm -rf .venv .venv-test .venv-docs .venv-bench .venv-sanitize .venv-wheels .venv-pages build dist src/*.egg-info bpcore-demo.png
	rm -rf docs/gallery docs/performance.md docs/_static/speed.svg docs/_static/step.html
	find src \( -name '*.so' -o -name '__pycache__' \) -prune -exec rm -rf {} +
