# Each target sets up .venv by itself when it is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?=
LEXEL_PEER ?=

# A process a core, and a thread a process. What a process runs together is in tests/conftest.py.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --maxprocesses 8
# What computes, on a processor without AVX-512 and AMX.
NUMERICS := tests/models tests/runtimes tests/training/loss tests/training/optimization tests/training/step \
	tests/checkpoints/onnx tests/test_encoder.py

# What is given a model or what to measure, and so is started by hand.
BY_HAND := adaptation captions distillation few_shot guidance languages painter pointing speed_run
BENCHMARKS = $(filter-out $(BY_HAND:%=benchmarks/%.py),$(wildcard benchmarks/*.py))

.PHONY: demo test test-avx2 check bench clean

demo: .venv/ready
	$(BIN)/lexel demo --output demo $(DEMO)

test: .venv/ready
	$(PYTEST)

# A cache of its own: torch takes compiled code of the other processor from the usual one, which then gives NaN.
test-avx2: .venv/ready
	TORCHINDUCTOR_CACHE_DIR=$(CURDIR)/.venv/avx2-code ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 $(PYTEST) $(NUMERICS)

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/mypy --strict tests/typing
	$(BIN)/lint-imports
	$(MAKE) test

bench: .venv/ready
	for script in $(BENCHMARKS); do LEXEL_PEER=$(LEXEL_PEER) $(BIN)/python $$script || exit 1; done

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv demo dist
