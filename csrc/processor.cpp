#include "processor.h"

#include <cstdint>

#if defined(TEXT2VEC_X86)
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(TEXT2VEC_NEON)
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#endif

namespace text2vec {
namespace {

#if defined(TEXT2VEC_X86)

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t part) {
  Registers r;
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(part));
  r = {uint32_t(out[0]), uint32_t(out[1]), uint32_t(out[2]), uint32_t(out[3])};
#else
  __cpuid_count(leaf, part, r.a, r.b, r.c, r.d);
#endif
  return r;
}

// Which register states the operating system saves; only valid where OSXSAVE is set.
uint64_t saved_states() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
#endif
}

// Linux gives the 8 KB of tile registers only to processes that ask.
bool tiles_permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool bit(uint32_t word, int index) { return word >> index & 1; }

unsigned detect() {
  if (cpuid(0, 0).a < 7) return 0;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
  const Registers more = seven.a >= 1 ? cpuid(7, 1) : Registers{};
  constexpr int kOsxsave = 27;
  if (!bit(one.c, kOsxsave)) return 0;
  const uint64_t states = saved_states();
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;

  unsigned found = 0;
  const bool fma = bit(one.c, 12), f16c = bit(one.c, 29);
  if ((states & kYmm) == kYmm && fma && f16c && bit(seven.b, 5)) found |= kAvx2;
  if ((found & kAvx2) && bit(more.a, 4)) found |= kAvxVnni;
  const bool avx512 = bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31);
  if ((found & kAvx2) && (states & kZmm) == kZmm && avx512) found |= kAvx512;
  if ((found & kAvx512) && bit(seven.c, 11)) found |= kAvx512Vnni;
  if ((found & kAvx512) && bit(more.a, 5)) found |= kAvx512Bf16;
  const bool tiles = bit(seven.d, 22) && bit(seven.d, 24) && bit(seven.d, 25);
  if (tiles && (states & kTiles) == kTiles && tiles_permitted()) found |= kAmx;
  return found;
}

#elif defined(TEXT2VEC_NEON)

unsigned detect() {
#if defined(__linux__)
  constexpr int kDotProduct = 20;  // HWCAP_ASIMDDP
  return getauxval(AT_HWCAP) >> kDotProduct & 1 ? kArmDot : 0;
#elif defined(__APPLE__)
  int there = 0;
  size_t size = sizeof there;
  const int failed = sysctlbyname("hw.optional.arm.FEAT_DotProd", &there, &size, nullptr, 0);
  return !failed && there ? kArmDot : 0;
#else
  return 0;
#endif
}

#else

unsigned detect() { return 0; }

#endif

}  // namespace

unsigned machine_features() {
  static const unsigned found = detect();
  return found;
}

std::string feature_names(unsigned features) {
  static constexpr const char* kNames[] = {
      "AVX2 with FMA", "AVX-VNNI",         "AVX-512 (F, BW, VL, DQ)", "AVX-512 VNNI",
      "AVX-512 BF16",  "AMX (INT8, BF16)", "Arm dot product (SDOT)"};
  std::string out;
  for (unsigned i = 0; i < sizeof kNames / sizeof *kNames; i++)
    if (features >> i & 1) out += (out.empty() ? "" : ", ") + std::string(kNames[i]);
  return out;
}

}  // namespace text2vec
