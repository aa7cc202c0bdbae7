// AVX-512 without its neural-network extensions: float32, and the others as far as it goes.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16.h"
#include "../kernels/product_int8.h"
#include "../kernels/simd_avx512.h"
#include "../processor.h"

namespace {
using S = Avx512Simd;
using Float = FloatProduct<S, kTileRows, kTileVectors>;
using Bfloat16 = WideningProduct<S, kTileRows, kTileVectors>;

// Pairs of int16 products (vpmaddwd): exact, where the int8 instruction of this age saturates.
struct PairCodes {
  using Activation = int16_t;
  using Weights = __m512i;
  static constexpr int group = 2, offset = 0;
  static Weights load(const int8_t* p) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static __m512i broadcast(const int16_t* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
  }
  static S::Ints multiply(S::Ints acc, __m512i a, Weights w) {
    return (S::Ints)_mm512_add_epi32((__m512i)acc, _mm512_madd_epi16(a, w));
  }
  static void encode(const float* row, int n, float inverse, int16_t* out) {
    const __m512 factor = _mm512_set1_ps(inverse);
    for (int i = 0; i < n; i += 16) {
      const __m512i codes = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(row + i), factor));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_cvtsepi32_epi16(codes));
    }
  }
};
using Int8 = Int8Product<S, PairCodes, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine avx512_float32 = make_engine<Float, Float>("avx512", "fma", Dtype::float32, kAvx512);
const Engine avx512_bfloat16 =
    make_engine<Bfloat16, Float>("avx512", "widening", Dtype::bfloat16, kAvx512);
const Engine avx512_int8 = make_engine<Int8, Float>("avx512", "pairs", Dtype::int8, kAvx512);
}  // namespace text2vec
