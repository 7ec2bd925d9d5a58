# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0

export COLCON_DEFAULTS_FILE := $(CURDIR)/ros_ws/colcon_defaults.yaml
PYTHON := .venv/bin/python

.PHONY: setup demo test test-gpu check format bench bench-gpu soak train phantoms clean

setup:
	scripts/setup.sh

demo: setup
	$(PYTHON) -m caption_node.demo $(if $(INPUT),--input "$(INPUT)")

test:
	scripts/setup.sh --with-dev --with-training --with-tensorrt --with-fleet
	$(PYTHON) -m pytest

test-gpu:
	scripts/setup.sh --with-dev --with-training --with-tensorrt
	CAPTION_REQUIRE_GPU=1 CAPTION_REQUIRE_ROS_TOOLS=1 $(PYTHON) -m pytest

check:
	scripts/setup.sh --with-dev --with-training --with-tensorrt
	scripts/check.sh

format:
	.venv/bin/ruff check --fix caption_node tests launch benchmarks setup.py
	.venv/bin/ruff format caption_node tests launch benchmarks setup.py

bench: setup
	$(PYTHON) benchmarks/pipeline.py
	$(PYTHON) benchmarks/start.py

bench-gpu:
	scripts/setup.sh --with-training --with-tensorrt
	$(PYTHON) benchmarks/gpu.py

soak: setup
	scripts/setup.sh --with-dev
	$(PYTHON) benchmarks/soak.py --seconds $(or $(SOAK_S),1800) $(if $(MODEL),--model "$(MODEL)")

train:
	scripts/setup.sh --with-training
	.venv/bin/caption train --config configs/drive_small.yaml

phantoms:
	scripts/setup.sh --with-training
	$(PYTHON) benchmarks/phantoms.py

clean:
	rm -rf out build ros_ws/build ros_ws/install ros_ws/log
