// Eight floats: AVX2 and FMA.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unroll.h"

namespace {

// Sums are held in the type of the multiplying instruction itself: GCC keeps an array of __m256i
// that is read under another type in memory, and stores every sum on every step.
#if defined(__GNUC__)
using Sums256 = int __attribute__((vector_size(32)));
#else
using Sums256 = __m256i;
#endif

struct Avx2Simd {
  static constexpr int width = 8;
  using Floats = __m256;
  using Ints = Sums256;
  static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  static Floats load_bfloat16(const uint16_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static Ints load_ints(const int32_t* p) {
    return (Ints)_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
  static Floats zero() { return _mm256_setzero_ps(); }
  static Floats set1(float x) { return _mm256_set1_ps(x); }
  static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  // Of two numbers that do not compare, the second: a NaN in `b` goes through.
  static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats abs(Floats v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }
  static Floats to_floats(Ints a) { return _mm256_cvtepi32_ps((__m256i)a); }
  static float sum(Floats v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static float maximum(Floats v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }

  // Lanes below `count` from a, the others from b.
  static Floats select_first(int count, Floats a, Floats b) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i first = _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes);
    return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(first));
  }
  // p * 2^n for whole n in [-126, 127], given as n + kRound: the sum's low bits are n itself.
  static Floats scale_by_power(Floats p, Floats n_plus_round) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(n_plus_round), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), n));
  }
  // Eight rows of eight numbers, `source` apart, to their columns, `target` apart.
  static void transpose(const float* from, ptrdiff_t source, float* to, ptrdiff_t target) {
    __m256 r[8];
    // r[4 c + q], lane group g: row 4 g + q, columns 4 c .. 4 c + 3.
    unroll<8>([&](auto i) {
      const float* p = from + (i % 4) * source + (i / 4) * 4;
      r[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)),
                                  _mm_loadu_ps(p + 4 * source), 1);
    });
    unroll<2>([&](auto c) {
      const __m256 ab_low = _mm256_unpacklo_ps(r[4 * c], r[4 * c + 1]);
      const __m256 ab_high = _mm256_unpackhi_ps(r[4 * c], r[4 * c + 1]);
      const __m256 cd_low = _mm256_unpacklo_ps(r[4 * c + 2], r[4 * c + 3]);
      const __m256 cd_high = _mm256_unpackhi_ps(r[4 * c + 2], r[4 * c + 3]);
      store(to + (4 * c + 0) * target, _mm256_shuffle_ps(ab_low, cd_low, 0x44));
      store(to + (4 * c + 1) * target, _mm256_shuffle_ps(ab_low, cd_low, 0xee));
      store(to + (4 * c + 2) * target, _mm256_shuffle_ps(ab_high, cd_high, 0x44));
      store(to + (4 * c + 3) * target, _mm256_shuffle_ps(ab_high, cd_high, 0xee));
    });
  }
  // Eight numbers times `factor`, rounded, as int32.
  static __m256i rounded(const float* p, __m256 factor) {
    return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(p), factor));
  }
};

// The tile of every AVX2 product: six rows of two vectors are twelve sums, which with two weights
// and an activation are fifteen of the sixteen registers.
constexpr int kTileRows = 6, kTileVectors = 2;

}  // namespace
