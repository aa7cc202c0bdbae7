#!/usr/bin/env bash
# The package on an emulated 64-bit Arm processor: builds the native module for it, gives it Debian's
# Python and PyPI's wheels, and runs the native engine's tests under qemu.
#
#   apt-get install g++-aarch64-linux-gnu qemu-user-static debootstrap cmake ninja-build unzip
#   tests/machine/arm.sh FOLDER [PYTEST OPTIONS]        # default: the Arm families' tests
#   ARM_CPU=cortex-a72 tests/machine/arm.sh FOLDER      # a processor without the dot product
#
# Needs root (debootstrap) and PyPI once. Tests that start another Python do not run: qemu is not
# what the kernel starts for an Arm program; one that computes for a second here takes minutes.
# Ten minutes in all.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$1"
cd "$1"
here=$PWD
shift

if [ ! -e debian/usr/bin/python3.11 ]; then
  debootstrap --arch=arm64 --foreign --variant=minbase --include=python3,libpython3.11-dev \
    bookworm debian http://deb.debian.org/debian
  for package in debian/var/cache/apt/archives/*.deb; do dpkg -x "$package" debian; done
fi
if [ ! -e packages/scipy ]; then
  "$python" -m pip download --quiet --dest wheels --only-binary=:all: --python-version 311 \
    --platform manylinux2014_aarch64 --platform manylinux_2_28_aarch64 --platform any \
    numpy tokenizers huggingface-hub safetensors threadpoolctl tqdm pytest hypothesis scipy
  for wheel in wheels/*.whl; do unzip -qo "$wheel" -d packages; done
fi

headers=$here/debian/usr
cat > arm.cmake <<SETTINGS
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CXX_FLAGS_INIT "-isystem $headers/include")
SETTINGS
cmake -S "$root" -B build -G Ninja -DCMAKE_TOOLCHAIN_FILE="$here/arm.cmake" \
  -DPython_EXECUTABLE="$python" -DPython_INCLUDE_DIR="$headers/include/python3.11" \
  -DPython_LIBRARY="$headers/lib/aarch64-linux-gnu/libpython3.11.so"
cmake --build build
rm -rf packages/text2vec run
cp -r "$root/src/text2vec" packages/
cp -r "$("$python" -c 'import importlib.metadata as m; print(m.distribution("text2vec")._path)')" packages/
cp build/_native*.so packages/text2vec/_native.cpython-311-aarch64-linux-gnu.so
mkdir run
cp -r "$root/tests" "$root/pyproject.toml" run/

cd run
export QEMU_LD_PREFIX=$here/debian PYTHONPATH=$here/packages PYTHONDONTWRITEBYTECODE=1
arm=(qemu-aarch64-static -cpu "${ARM_CPU:-max}" "$here/debian/usr/bin/python3.11")
"${arm[@]}" -m text2vec.cli.main info
if [ $# = 0 ]; then
  set -- -k "(neon or door) and not forked and not signals" tests/engines/test_native_door.py tests/engines/test_native.py
fi
"${arm[@]}" -m pytest -q -p no:cacheprovider --noconftest "$@"
