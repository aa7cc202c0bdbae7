// AMX: products of 16 x 16 tiles, with AVX-512 for everything between them, attention included.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16_512.h"
#include "../kernels/product_tiles.h"
#include "../kernels/tiles_hardware.h"
#include "../processor.h"

namespace {
using S = Avx512Simd;

struct SignedCodes {
  using Activation = int8_t;
  static constexpr int group = 4, offset = 0;
  static void encode(const float* row, int n, float inverse, int8_t* out) {
    const __m512 factor = _mm512_set1_ps(inverse);
    for (int i = 0; i < n; i += 16) {
      const __m512i codes = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(row + i), factor));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm512_cvtsepi32_epi8(codes));
    }
  }
};
struct Convert {
  static void store(uint16_t* p, __m512 v) { PairedBfloat16::store(p, v); }
};
using Int8 = TileInt8<S, HardwareTiles, SignedCodes>;
using Bfloat16 = TileBfloat16<S, HardwareTiles, Convert>;
constexpr unsigned kNeeds = kAvx512 | kAvx512Bf16 | kAmx;
}  // namespace

namespace text2vec {
const Engine amx_bfloat16 =
    make_engine<Bfloat16, PairedBfloat16>("amx", "tiles", Dtype::bfloat16, kNeeds);
const Engine amx_int8 = make_engine<Int8, PairedBfloat16>("amx", "tiles", Dtype::int8, kNeeds);
}  // namespace text2vec
