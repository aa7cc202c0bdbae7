# Multiboot entry: 64-bit mode with the first gigabyte mapped as it is, and the operating system's
# part of AVX-512 and AMX: CR4.OSXSAVE and the register states in XCR0.
# Source: Intel SDM volume 1, sections 13.3 and 18; Multiboot specification 0.6.96, section 3.1.

.set MAGIC, 0x1BADB002
.set FLAGS, 0x00010003          # the addresses stand in the header: a flat file can be loaded
.set STATES, 0x600e7            # x87, SSE, AVX, opmask, both halves of ZMM, tile configuration, tiles

.section .start, "ax"
.code32
.align 4
header:
  .long MAGIC, FLAGS, -(MAGIC + FLAGS), header, header, file_end, memory_end, _start

.globl _start
_start:
  cli
  movl $stack_top, %esp
  movl $tables, %edi            # page tables, zeroed
  xorl %eax, %eax
  movl $(3 * 4096 / 4), %ecx
  rep stosl
  movl $(tables + 4096 + 3), tables
  movl $(tables + 8192 + 3), tables + 4096
  movl $(tables + 8192), %edi
  movl $0x83, %eax              # present, writable, 2 MB
  movl $512, %ecx
1:
  movl %eax, (%edi)
  addl $0x200000, %eax
  addl $8, %edi
  loop 1b

  movl %cr4, %eax
  orl $0x40620, %eax            # PAE, OSFXSR, OSXMMEXCPT, OSXSAVE
  movl %eax, %cr4
  movl $tables, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx        # EFER
  rdmsr
  orl $0x100, %eax              # LME
  wrmsr
  movl %cr0, %eax
  andl $~0xc, %eax              # no emulation, no switched task
  orl $0x80000003, %eax         # PG, MP, PE
  movl %eax, %cr0
  lgdt descriptors
  ljmp $8, $long_mode

.code64
long_mode:
  movw $16, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  xorl %ecx, %ecx
  movl $STATES, %eax
  xorl %edx, %edx
  xsetbv
  movq $stack_top, %rsp
  call run
1:
  hlt
  jmp 1b

.align 8
table:
  .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
descriptors:
  .word 23
  .long table

.section .bss
.align 4096
tables: .skip 3 * 4096
  .skip 1 << 20
stack_top:
