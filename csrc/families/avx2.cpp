// AVX2 and FMA: every x86 processor since about 2013.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16.h"
#include "../kernels/product_int8.h"
#include "../kernels/simd_avx2.h"
#include "../processor.h"

namespace {
using S = Avx2Simd;
using Float = FloatProduct<S, kTileRows, kTileVectors>;
using Bfloat16 = WideningProduct<S, kTileRows, kTileVectors>;

// Pairs of int16 products (vpmaddwd): exact, where vpmaddubsw saturates. Weights stay int8 in
// memory and are widened as they are loaded.
struct PairCodes {
  using Activation = int16_t;
  using Weights = __m256i;
  static constexpr int group = 2, offset = 0;
  static Weights load(const int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static __m256i broadcast(const int16_t* p) {
    int32_t pair;
    memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
  }
  static S::Ints multiply(S::Ints acc, __m256i a, Weights w) {
    return (S::Ints)_mm256_add_epi32((__m256i)acc, _mm256_madd_epi16(a, w));
  }
  static void encode(const float* row, int n, float inverse, int16_t* out) {
    const __m256 factor = _mm256_set1_ps(inverse);
    for (int i = 0; i < n; i += 16) {
      const __m256i both =
          _mm256_packs_epi32(S::rounded(row + i, factor), S::rounded(row + i + 8, factor));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                          _mm256_permute4x64_epi64(both, 0xd8));
    }
  }
};
using Int8 = Int8Product<S, PairCodes, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine avx2_float32 = make_engine<Float, Float>("avx2", "fma", Dtype::float32, kAvx2);
const Engine avx2_bfloat16 =
    make_engine<Bfloat16, Float>("avx2", "widening", Dtype::bfloat16, kAvx2);
const Engine avx2_int8 = make_engine<Int8, Float>("avx2", "pairs", Dtype::int8, kAvx2);
}  // namespace text2vec
