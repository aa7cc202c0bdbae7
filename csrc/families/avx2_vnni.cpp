// int8 with AVX-VNNI, which gives processors without AVX-512 its int8 instruction.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_int8.h"
#include "../kernels/simd_avx2.h"
#include "../processor.h"

namespace {
using S = Avx2Simd;
using Float = FloatProduct<S, kTileRows, kTileVectors>;

// vpdpbusd multiplies unsigned by signed: activations are held plus 128, and each sum starts from
// minus 128 times the column's weights, which makes up for it exactly.
struct VnniCodes {
  using Activation = uint8_t;
  using Weights = __m256i;
  static constexpr int group = 4, offset = 128;
  static Weights load(const int8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static __m256i broadcast(const uint8_t* p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static S::Ints multiply(S::Ints acc, __m256i a, Weights w) {
    return (S::Ints)_mm256_dpbusd_avx_epi32((__m256i)acc, a, w);
  }
  static void encode(const float* row, int n, float inverse, uint8_t* out) {
    const __m256 factor = _mm256_set1_ps(inverse);
    const __m256i flip = _mm256_set1_epi8(static_cast<char>(0x80));   // plus 128
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // undoes the packing's lanes
    for (int i = 0; i < n; i += 32) {
      const __m256i low =
          _mm256_packs_epi32(S::rounded(row + i, factor), S::rounded(row + i + 8, factor));
      const __m256i high =
          _mm256_packs_epi32(S::rounded(row + i + 16, factor), S::rounded(row + i + 24, factor));
      const __m256i codes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_xor_si256(codes, flip));
    }
  }
};
using Int8 = Int8Product<S, VnniCodes, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine avx2_vnni_int8 =
    make_engine<Int8, Float>("avx2", "vnni", Dtype::int8, kAvx2 | kAvxVnni);
}  // namespace text2vec
