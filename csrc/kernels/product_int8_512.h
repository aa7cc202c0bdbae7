// int8 with AVX-512 VNNI: sixteen sums of four products an instruction.
#pragma once

#include "product_int8.h"
#include "simd_avx512.h"

namespace {

// vpdpbusd multiplies unsigned by signed: activations are held plus 128, and each sum starts from
// minus 128 times the column's weights, which makes up for it exactly.
struct VnniCodes {
  using Activation = uint8_t;
  using Weights = __m512i;
  static constexpr int group = 4, offset = 128;
  static Weights load(const int8_t* p) { return _mm512_loadu_si512(p); }
  static __m512i broadcast(const uint8_t* p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Sums512 multiply(Sums512 acc, __m512i a, Weights w) {
    return (Sums512)_mm512_dpbusd_epi32((__m512i)acc, a, w);
  }
  static void encode(const float* row, int n, float inverse, uint8_t* out) {
    const __m512 factor = _mm512_set1_ps(inverse);
    const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));  // plus 128, as an exclusive or
    // Packing works in each quarter of a register: quarter q has four codes of each vector.
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for (int i = 0; i < n; i += 64) {
      const auto whole = [&](int at) {
        return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(row + i + at), factor));
      };
      const __m512i codes = _mm512_packs_epi16(_mm512_packs_epi32(whole(0), whole(16)),
                                               _mm512_packs_epi32(whole(32), whole(48)));
      _mm512_storeu_si512(out + i, _mm512_xor_si512(_mm512_permutexvar_epi32(order, codes), flip));
    }
  }
};

}  // namespace
