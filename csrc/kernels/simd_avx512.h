// Sixteen floats: AVX-512 F, BW, VL, DQ.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unroll.h"

namespace {

// Sums are held in the type of the multiplying instruction itself: GCC keeps an array of __m512i
// that is read under another type in memory, and stores every sum on every step.
#if defined(__GNUC__)
using Sums512 = int __attribute__((vector_size(64)));
#else
using Sums512 = __m512i;
#endif

struct Avx512Simd {
  static constexpr int width = 16;
  using Floats = __m512;
  using Ints = Sums512;
  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static Floats load_bfloat16(const uint16_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static Ints load_ints(const int32_t* p) { return (Ints)_mm512_loadu_si512(p); }
  static void store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats set1(float x) { return _mm512_set1_ps(x); }
  static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  // Of two numbers that do not compare, the second: a NaN in `b` goes through.
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats abs(Floats v) { return _mm512_abs_ps(v); }
  static Floats to_floats(Ints a) { return _mm512_cvtepi32_ps((__m512i)a); }
  static float sum(Floats v) { return _mm512_reduce_add_ps(v); }
  static float maximum(Floats v) { return _mm512_reduce_max_ps(v); }

  // Lanes below `count` from a, the others from b.
  static Floats select_first(int count, Floats a, Floats b) {
    const unsigned lanes = count >= width ? 0xffffu : count <= 0 ? 0u : (1u << count) - 1;
    return _mm512_mask_blend_ps(static_cast<__mmask16>(lanes), b, a);
  }
  // p * 2^n for whole n in [-126, 127], given as n + kRound: the sum's low bits are n itself.
  static Floats scale_by_power(Floats p, Floats n_plus_round) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(n_plus_round), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), n));
  }
  // 16 rows of 16 numbers, `source` apart, to their columns, `target` apart.
  static void transpose(const float* from, ptrdiff_t source, float* to, ptrdiff_t target) {
    __m512 r[16];
    // r[4 c + q], lane group g: row 4 g + q, columns 4 c .. 4 c + 3.
    unroll<16>([&](auto i) {
      const float* p = from + (i % 4) * source + (i / 4) * 4;
      __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(p));
      v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 4 * source), 1);
      v = _mm512_insertf32x4(v, _mm_loadu_ps(p + 8 * source), 2);
      r[i] = _mm512_insertf32x4(v, _mm_loadu_ps(p + 12 * source), 3);
    });
    unroll<4>([&](auto c) {
      const __m512 ab_low = _mm512_unpacklo_ps(r[4 * c], r[4 * c + 1]);
      const __m512 ab_high = _mm512_unpackhi_ps(r[4 * c], r[4 * c + 1]);
      const __m512 cd_low = _mm512_unpacklo_ps(r[4 * c + 2], r[4 * c + 3]);
      const __m512 cd_high = _mm512_unpackhi_ps(r[4 * c + 2], r[4 * c + 3]);
      const auto pair = [](__m512 a, __m512 b, auto high) {
        const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
        return _mm512_castpd_ps(high ? _mm512_unpackhi_pd(x, y) : _mm512_unpacklo_pd(x, y));
      };
      store(to + (4 * c + 0) * target, pair(ab_low, cd_low, std::false_type{}));
      store(to + (4 * c + 1) * target, pair(ab_low, cd_low, std::true_type{}));
      store(to + (4 * c + 2) * target, pair(ab_high, cd_high, std::false_type{}));
      store(to + (4 * c + 3) * target, pair(ab_high, cd_high, std::true_type{}));
    });
  }
};

// The tile of every AVX-512 product: twelve rows of two vectors are 24 sums, which with two weights
// and an activation fit the 32 registers; the 14 loads of a step take 7 cycles of the 12 that its
// 24 multiplications need.
constexpr int kTileRows = 12, kTileVectors = 2;

}  // namespace
