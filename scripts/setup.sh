#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
#
# Sets up .venv from nothing: pinned wheels (ROS 2 Jazzy among them), caption_msgs, and this package.
# Needs Python 3.10 to 3.12 with its headers, a C++ compiler, and a package index. Run it as often as you like:
# what is up to date is left alone.
set -euo pipefail

readonly ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly MESSAGES="$ROOT/ros_ws/src/caption_msgs"
VENV="$ROOT/.venv"
GROUPS_WANTED=(runtime ros)

usage() {
  cat <<TEXT
usage: scripts/setup.sh [--with-dev] [--with-training] [--with-tensorrt] [--venv DIR]

  --with-dev       also what tests and checks need
  --with-training  also PyTorch and ONNX, to train and export models
  --with-fleet     also Ray, to describe many recordings on a cluster
  --with-tensorrt  also TensorRT for RTX and CUDA's Python modules, to build engines
  --venv DIR       where the environment goes (default: .venv in the repository)

PYTHON=... chooses the interpreter (default: the first of python3, python3.12, python3.11, python3.10 that fits).
TEXT
}

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$1" >&2
  printf 'hint: %s\n' "$2" >&2
  exit 1
}

parse_arguments() {
  while (($#)); do
    case "$1" in
      --with-dev) GROUPS_WANTED+=(dev) ;;
      --with-training) GROUPS_WANTED+=(training) ;;
      --with-fleet) GROUPS_WANTED+=(fleet) ;;
      --with-tensorrt) GROUPS_WANTED+=(tensorrt) ;;
      --venv)
        [[ $# -ge 2 ]] || { usage >&2; exit 2; }
        VENV="$(mkdir -p "$2" && cd "$2" && pwd)"
        shift
        ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; printf 'error: unknown option %s\n' "$1" >&2; exit 2 ;;
    esac
    shift
  done
}

python_fits() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null
}

find_python() {
  local candidate
  if [[ -n "${PYTHON:-}" ]]; then
    python_fits "$PYTHON" || fail "$PYTHON is not Python 3.10, 3.11 or 3.12" \
      'ROS 2 Jazzy and the pinned wheels are tried with those; point PYTHON at one of them'
    printf '%s' "$PYTHON"
    return
  fi
  for candidate in python3 python3.12 python3.11 python3.10; do
    if python_fits "$candidate"; then
      printf '%s' "$candidate"
      return
    fi
  done
  fail "no Python 3.10, 3.11 or 3.12 found (python3 is: $(python3 --version 2>/dev/null || echo absent))" \
    'install one of them, or point PYTHON at it: PYTHON=/path/to/python3.11 scripts/setup.sh'
}

make_venv() {
  if [[ -e "$VENV/bin/python" ]]; then
    python_fits "$VENV/bin/python" || fail "$VENV is broken, or not of Python 3.10 to 3.12" \
      "remove it and run this again: rm -r $VENV"
    return
  fi
  local python
  python="$(find_python)"
  say "making $VENV with $("$python" --version)"
  "$python" -m venv "$VENV" || {
    rm -f "$VENV/bin/python" # half a venv would look like a whole one next time
    fail "$python cannot make a virtual environment" \
      "install its venv module (Debian, Ubuntu: apt-get install python3-venv)"
  }
  # The pip that comes with Python differs from one to the next: take the same one everywhere.
  pip_install pip==26.3 || fail 'pip could not be updated (see above)' \
    "check that pip reaches a package index; then remove $VENV and run this again"
}

# What decides whether a step must run again: the files it depends on, by content.
fingerprint() {
  {
    "$VENV/bin/python" -S -c 'import sys; print(sys.version)'
    printf '%s\n' "$VENV"
    find "$@" -type f -not -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 cat
  } | sha256sum | cut -d ' ' -f 1
}

is_done() { # NAME FINGERPRINT
  [[ -f "$VENV/.setup/$1" && "$(<"$VENV/.setup/$1")" == "$2" ]]
}

mark_done() { # NAME FINGERPRINT
  mkdir -p "$VENV/.setup"
  printf '%s' "$2" >"$VENV/.setup/$1"
}

pip_install() {
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}

install_wheels() {
  local group print arguments=() marks=()
  for group in "${GROUPS_WANTED[@]}"; do
    print="$(fingerprint "$ROOT/requirements/$group.txt")"
    is_done "wheels-$group" "$print" && continue
    arguments+=(-r "$ROOT/requirements/$group.txt")
    marks+=("wheels-$group" "$print")
  done
  ((${#arguments[@]})) || return 0
  say "installing wheels: $(printf '%s ' "${arguments[@]##*/}" | sed 's/-r //g; s/\.txt//g')"
  pip_install "${arguments[@]}" || fail 'the pinned wheels could not be installed (see above)' \
    'check that pip reaches a package index, and that there are 2 GB of free disk, then run this again'
  set -- "${marks[@]}"
  while (($#)); do
    mark_done "$1" "$2"
    shift 2
  done
}

check_compiler() {
  local header
  command -v "${CXX:-c++}" >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
    fail 'there is no C++ compiler, which building caption_msgs takes' \
      'install one (Debian, Ubuntu: apt-get install g++), then run this again'
  header="$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h"
  [[ -f "$header" ]] || fail "the headers of Python are missing ($header)" \
    'install them (Debian, Ubuntu: apt-get install python3-dev), then run this again'
}

build_messages() {
  local print build
  print="$(fingerprint "$MESSAGES" "$ROOT/requirements/ros.txt")"
  is_done messages "$print" && return
  check_compiler
  say 'building caption_msgs'
  # The wheels' CMake files name folders of the machine that built them: blank those, or CMake refuses them.
  sed -i -E 's#(INTERFACE_INCLUDE_DIRECTORIES) "/[^"]*"#\1 ""#' \
    "$VENV"/share/*/cmake/export_*__rosidl_generator_pyExport.cmake
  build="$VENV/.setup/build-caption_msgs"
  rm -rf "$build"
  mkdir -p "$build"
  (
    export AMENT_PREFIX_PATH="$VENV" PATH="$VENV/bin:$PATH"
    cmake -S "$MESSAGES" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$VENV" \
      -DPython3_EXECUTABLE="$VENV/bin/python" -DBUILD_TESTING=OFF &&
      cmake --build "$build" --target install
  ) >"$VENV/.setup/caption_msgs.log" 2>&1 || {
    tail -n 30 "$VENV/.setup/caption_msgs.log" >&2
    fail 'building caption_msgs failed (see above)' "the whole log is $VENV/.setup/caption_msgs.log"
  }
  rm -rf "$build"
  mark_done messages "$print"
}

install_package() {
  local print share="$VENV/share/caption_node"
  print="$(fingerprint "$ROOT/setup.py" "$ROOT/setup.cfg" "$ROOT/package.xml" "$ROOT/launch" "$ROOT/scripts/setup.sh")"
  is_done package "$print" && return
  say 'installing caption_node (editable)'
  mkdir -p "$VENV/.setup"
  pip_install --no-deps --no-build-isolation --editable "$ROOT" >"$VENV/.setup/caption_node.log" 2>&1 || {
    cat "$VENV/.setup/caption_node.log" >&2
    fail 'caption_node itself could not be installed (see above)' 'check setup.py and setup.cfg'
  }
  # An editable install leaves out data files: link what ament, `ros2 run` and `ros2 launch` look for.
  mkdir -p "$share" "$VENV/share/ament_index/resource_index/packages" "$VENV/lib/caption_node"
  ln -sfn "$ROOT/resource/caption_node" "$VENV/share/ament_index/resource_index/packages/caption_node"
  ln -sfn "$ROOT/package.xml" "$share/package.xml"
  # File by file: `ros2 launch` does not look into a linked folder.
  rm -rf "$share/launch"
  (cd "$ROOT" && find launch -type f -not -name '*.pyc') | while read -r file; do
    mkdir -p "$share/$(dirname "$file")"
    ln -s "$ROOT/$file" "$share/$file"
  done
  ln -sfn "$ROOT/models" "$share/models"
  ln -sfn ../../bin/caption ../../bin/caption_node "$VENV/lib/caption_node/"
  mark_done package "$print"
}

main() {
  parse_arguments "$@"
  # A sourced ROS installation or another environment would leak its packages into this one.
  unset PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH \
    LD_LIBRARY_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
  make_venv
  if command -v flock >/dev/null; then
    exec 9>"$VENV/.setup.lock"
    flock 9 # two calls at a time (make -j) take turns
  fi
  install_wheels
  build_messages
  install_package
  say "ready: $VENV/bin/caption --help"
}

main "$@"
