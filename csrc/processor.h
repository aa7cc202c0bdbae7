// What the processor can do and the operating system lets it do.
#pragma once

#include <string>

namespace text2vec {

// Bits of Engine::features.
constexpr unsigned kAvx2 = 1u << 0;     // AVX2 and FMA, 256-bit state saved
constexpr unsigned kAvxVnni = 1u << 1;  // 256-bit VNNI without AVX-512
constexpr unsigned kAvx512 = 1u << 2;   // F, BW, VL, DQ, 512-bit state saved
constexpr unsigned kAvx512Vnni = 1u << 3;
constexpr unsigned kAvx512Bf16 = 1u << 4;
constexpr unsigned kAmx = 1u << 5;     // TILE, INT8, BF16, and the kernel's permission
constexpr unsigned kArmDot = 1u << 6;  // SDOT of Armv8.2

// Features of this machine; found once.
unsigned machine_features();

// "AVX-512 VNNI, AMX" for a set of features.
std::string feature_names(unsigned features);

}  // namespace text2vec
