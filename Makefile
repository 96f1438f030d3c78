# `make demo` and `make test` are all a newcomer needs; both create the environment first.
PYTHON ?= python3
VENV ?= .venv
FDD_EDGE_CACHE ?= $(HOME)/.cache/fdd-edge
export FDD_EDGE_CACHE

BIN := $(VENV)/bin
READY := $(VENV)/.ready

# llama-cpp-python is compiled for this machine's CPU. GCC before version 13 drops the stores to the tile configuration
# that ggml's AMX code loads, and every quantized model then crashes with SIGSEGV, so AMX is disabled (AVX-512 stays).
# pip's own cache ignores flags and CPU, so the wheel is kept in a folder whose name depends on both.
LLAMA := $(shell sed -n 's/^llama-cpp-python==/&/p' constraints.txt)
ifeq ($(shell uname -m),x86_64)
LLAMA_CFLAGS := -mno-amx-tile -mno-amx-int8 -mno-amx-bf16
endif
# Without models of images and what llama.cpp's own programs share: about half of the files.
LLAMA_CMAKE := -DCMAKE_C_FLAGS='$(LLAMA_CFLAGS)' -DCMAKE_CXX_FLAGS='$(LLAMA_CFLAGS)' -DLLAVA_BUILD=OFF \
	-DCMAKE_PROJECT_llama.cpp_INCLUDE='$(CURDIR)/fdd_edge/targets/llama_only.cmake'
BUILD_KEY := $(shell (grep -m1 -iE '^(flags|features)' /proc/cpuinfo; cc --version | head -1; $(PYTHON) -V; \
	echo "$(LLAMA) $(LLAMA_CFLAGS) LLAVA_BUILD=OFF"; cat fdd_edge/targets/llama_only.cmake) 2>/dev/null | \
	sha256sum | cut -c1-12)
WHEELS := $(FDD_EDGE_CACHE)/wheels/$(BUILD_KEY)

.PHONY: setup demo test test-fast check bench emulated llama-server cmake-options stress clean

setup: $(READY)

# The folder's name covers version, options, compiler, Python and CPU, so the wheel in it is never out of date.
$(WHEELS)/.built: | $(BIN)/python
	CMAKE_ARGS="$(LLAMA_CMAKE)" $(BIN)/python -m pip --quiet wheel --no-deps --no-cache-dir \
		--no-binary llama-cpp-python -w $(WHEELS) $(LLAMA)
	touch $@

# Everything that does not depend on llama-cpp-python.
$(VENV)/.packages: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install -c constraints.txt -e '.[train,devices,onnx,hub,teacher,dev]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(READY): pyproject.toml constraints.txt | $(BIN)/python
	@test -e $(WHEELS)/.built || echo "Compiling $(LLAMA) for this CPU (2 to 3 minutes, once)" \
		"while the other packages are installed ..."
	$(MAKE) --no-print-directory --jobs=2 $(WHEELS)/.built $(VENV)/.packages
	$(BIN)/python -m pip install --no-index --no-deps --force-reinstall $(WHEELS)/llama_cpp_python-*.whl
	$(BIN)/python -m pip install -c constraints.txt -e '.[train,gguf,devices,onnx,hub,teacher,demo,dev]'
	touch $@

demo: setup
	$(BIN)/fdd-edge run quickstart

# Workers share what takes long to make (tests/shared.py), so an idle one can take tests of any file.
test: setup
	$(BIN)/python -m pytest -n auto --dist worksteal

# No whole run, no real model.
test-fast: setup
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not real' --hypothesis-profile=fast

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/programs.py
	$(BIN)/python benchmarks/decoding.py
	$(BIN)/python benchmarks/training.py

emulated: setup
	$(BIN)/fdd-edge targets create rpi5-emulated

# What the tests of teachers ask, if it is there, and benchmarks compare with: 10 minutes, once.
llama-server: setup
	$(BIN)/python benchmarks/llama_server.py

# For benchmarks/compiling.py.
cmake-options:
	@echo "$(LLAMA_CMAKE)"

stress: setup
	$(BIN)/python -m pytest tests/loop/test_loop_faults.py --faults 30

clean:
	rm -rf $(VENV) build dist
