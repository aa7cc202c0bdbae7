// bfloat16 with AVX-512 BF16: sixteen sums of two products an instruction.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16.h"
#include "../kernels/simd_avx512.h"
#include "../processor.h"

namespace {
using S = Avx512Simd;
using Float = FloatProduct<S, kTileRows, kTileVectors>;

struct Bfloat16 {
  using Simd = S;
  using Activation = uint16_t;
  using Weight = uint16_t;
  using Weights = __m512bh;
  using Accumulator = __m512;
  using Encoder = PlainEncoder<uint16_t, to_bfloat16>;
  static constexpr int group = 2, tile_rows = kTileRows, tile_vectors = kTileVectors;
  static constexpr bool scaled = false, exact = false;
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
};
}  // namespace

namespace text2vec {
const Engine avx512_bf16_bfloat16 =
    make_engine<Bfloat16, Float>("avx512", "bf16", Dtype::bfloat16, kAvx512 | kAvx512Bf16);
}  // namespace text2vec
