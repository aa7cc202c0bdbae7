// bfloat16 with AVX-512 BF16: sixteen sums of two products an instruction.
#pragma once

#include "product_bfloat16.h"
#include "simd_avx512.h"

namespace {

struct PairedBfloat16 {
  using Simd = Avx512Simd;
  using Activation = uint16_t;
  using Weight = uint16_t;
  using Weights = __m512bh;
  using Accumulator = __m512;
  using Encoder = PlainEncoder<uint16_t, to_bfloat16>;
  static constexpr int group = 2, tile_rows = kTileRows, tile_vectors = kTileVectors;
  static constexpr bool scaled = false;
  static constexpr int gelu_terms = 8, exp_terms = 4;
  static constexpr uint16_t none = 0;

  static __m512bh as_pairs(__m512i bits) {
    __m512bh out;
    memcpy(&out, &bits, sizeof out);
    return out;
  }
  static Weights load(const uint16_t* p) { return as_pairs(_mm512_loadu_si512(p)); }
  static __m512bh broadcast(const uint16_t* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return as_pairs(_mm512_set1_epi32(pair));
  }
  static __m512 start(const int32_t*, int) { return _mm512_setzero_ps(); }
  static __m512 multiply(__m512 acc, __m512bh a, Weights w) { return _mm512_dpbf16_ps(acc, a, w); }
  static __m512 finish(__m512 acc, const float*, int, const float*, int, __m512 bias) {
    return _mm512_add_ps(acc, bias);
  }
  static void store(uint16_t* p, __m512 v) {
    const __m256bh half = _mm512_cvtneps_pbh(v);
    memcpy(p, &half, sizeof half);
  }
  // As in FloatProduct: two rows' numbers lie side by side, the first row's in front.
  static void pack_group(const uint16_t* rows, ptrdiff_t stride, int count, int columns,
                         uint16_t* out) {
    const unsigned lanes = columns >= 16 ? 0xffffu : columns <= 0 ? 0u : (1u << columns) - 1;
    const auto read = [&](int i) {
      const auto mask = static_cast<__mmask16>(i < count ? lanes : 0);
      return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, rows + i * stride));
    };
    _mm512_storeu_si512(out, _mm512_or_si512(read(0), _mm512_slli_epi32(read(1), 16)));
  }
};

}  // namespace
