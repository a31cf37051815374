# Two commands do everything on a fresh machine: `make demo` and `make test`. Each does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-test demo test check bench soak docs lock

PY := .venv/bin/python
BOOT := $(shell command -v python3 || command -v python)

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## Make .venv with kizuna and the tools of `make check`
	@$(BOOT) scripts/setup.py check

setup-run:
	@$(BOOT) scripts/setup.py run

setup-test:
	@$(BOOT) scripts/setup.py test

demo: setup-run ## Run the main job on real data (CHECK=1: end by itself)
	@$(PY) -m kizuna demo $(if $(CHECK),--check)

check: setup ## Lint, types, contracts, unit tests: the quick loop
	@$(PY) scripts/check.py quick

test: setup-test ## All that CI runs
	@$(PY) scripts/check.py all

bench: setup ## Print a benchmark's figures, a JSON line each (BENCH=catalog|catalog-5m|exchange|leak|planning|planning-accuracy|release|spine|sar|sar-accuracy|schedule|tiles|whatif)
	@$(PY) benchmarks/run.py $(BENCH)

soak: setup-test ## Kill nodes while they exchange and count what is lost (KILLS=1000 SECONDS=60)
	@$(if $(KILLS)$(SECONDS),,KIZUNA_CRASHES=5 $(PY) -m pytest -q --timeout 3600 tests/property/test_crashes.py >&2)
	@$(PY) benchmarks/soak.py $(if $(KILLS),--kills $(KILLS)) $(if $(SECONDS),--seconds $(SECONDS))

docs: setup ## Check that the documentation holds, and print where to begin
	@$(PY) -m pytest -q tests/docs && echo "Begin with README.md, then docs/architecture.md"

lock: ## Write the requirement locks anew (needs uv)
	@scripts/lock.sh
