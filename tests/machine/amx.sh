#!/usr/bin/env bash
# The AMX kernels on a machine without AMX: writes a boot image and Bochs' settings into a folder.
#
#   apt-get install g++ binutils isolinux syslinux-common xorriso
#   tests/machine/amx.sh FOLDER
#   cd FOLDER && bochs -q -f bochsrc; cat serial.txt    # ends with "all as expected"
#
# Bochs 3.0 (Debian 13: bochs, bochs-term, bochsbios, vgabios) has a processor with AMX, AVX-512
# VNNI and AVX-512 BF16. Two minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/iso/isolinux"
cd "$1"

common=(-std=c++17 -O2 -ffreestanding -fno-exceptions -fno-rtti -fno-threadsafe-statics
  -fno-stack-protector -fcf-protection=none -fno-pic -fno-asynchronous-unwind-tables
  -Wno-psabi -Wno-maybe-uninitialized -DTEXT2VEC_X86 -DTEXT2VEC_AMX)
avx512=(-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq)  # as in CMakeLists.txt
families=$here/../../csrc/families
g++ "${common[@]}" -c "$here/main.cpp" -o main.o
g++ "${common[@]}" "${avx512[@]}" -mavx512vnni -mavx512bf16 -c "$families/avx512_bf16.cpp" -o bf16.o
g++ "${common[@]}" "${avx512[@]}" -mavx512bf16 -mamx-tile -mamx-int8 -mamx-bf16 \
  -c "$families/amx.cpp" -o amx.o
g++ -c "$here/boot.S" -o boot.o
ld -static -nostdlib -z noexecstack --no-warn-rwx-segments -T "$here/image.ld" -o image.elf \
  boot.o main.o bf16.o amx.o
objcopy -O binary -j .image image.elf iso/image.bin

cp /usr/lib/ISOLINUX/isolinux.bin iso/isolinux/
cp /usr/lib/syslinux/modules/bios/{ldlinux,mboot,libcom32}.c32 iso/isolinux/
printf 'DEFAULT image\nTIMEOUT 1\nLABEL image\n KERNEL mboot.c32\n APPEND /image.bin\n' \
  > iso/isolinux/isolinux.cfg
xorriso -as mkisofs -quiet -o boot.iso -b isolinux/isolinux.bin -c isolinux/boot.cat \
  -no-emul-boot -boot-load-size 4 -boot-info-table iso

cat > bochsrc <<'SETTINGS'
display_library: rfb, options="timeout=0"
cpu: model=sapphire_rapids, ips=80000000, reset_on_triple_fault=0
memory: guest=512, host=512
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=boot.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=serial.txt
log: bochs.log
panic: action=fatal
SETTINGS
