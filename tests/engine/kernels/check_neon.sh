#!/bin/sh
# The NEON kernels without an ARM machine: check_kernels cross-compiled and run under qemu.
# Usage: check_neon.sh SOURCE_DIR WORK_DIR. Exit 77 (skipped) when the tools are missing.
set -eu
source=$1 work=$2
cc=${CROSS_CC:-aarch64-linux-gnu-gcc}
qemu=${QEMU:-qemu-aarch64}
for tool in "$cc" "$qemu"; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done

mkdir -p "$work"
flags="-std=c11 -D_POSIX_C_SOURCE=200809L -DNN_HAVE_NEON -I$source/engine -I$source/engine/include"
objects=
compile() { # FILE OPTIONS...: an object in $work
    object=$work/$(basename "$1" .c).o
    file=$1
    shift
    $cc $flags "$@" -c "$source/$file" -o "$object"
    objects="$objects $object"
}
for file in scalar scalar_simple scalar_dot winograd pack cpu; do
    compile engine/kernels/$file.c -O2 -ffp-contract=off
done
compile engine/kernels/neon.c -O3 -ffp-contract=fast -Wno-unknown-pragmas
for file in engine/base/mem.c engine/base/rng.c $(cd "$source" && echo tests/engine/kernels/*.c); do
    compile $file -O2
done
$cc -static $objects -o "$work/check_kernels" -lm -lpthread
"$qemu" "$work/check_kernels"
