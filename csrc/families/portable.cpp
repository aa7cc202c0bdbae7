// Plain C++ for any processor: four floats at a time, as far as the compiler can.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16.h"
#include "../kernels/product_int8.h"
#include "../kernels/simd_portable.h"

namespace {
// Six rows of two vectors are twelve sums, two weights and one activation: fifteen of the sixteen
// registers that every 64-bit processor has.
constexpr int kTileRows = 6, kTileVectors = 2;
using S = PortableSimd;
using Float = FloatProduct<S, kTileRows, kTileVectors>;
using Bfloat16 = WideningProduct<S, kTileRows, kTileVectors>;

// Codes as whole floats, because not every processor multiplies whole numbers well, and all
// multiply floats. Sums of fewer than 2^24 / 127^2 = 1040 products are exact, longer ones nearly
// so.
struct FloatCodes {
  using Activation = float;
  using Weights = S::Floats;
  static constexpr int group = 1, offset = 0;
  static Weights load(const int8_t* p) { return S::load_int8(p); }
  static S::Floats broadcast(const float* p) { return S::set1(*p); }
  static S::Floats multiply(S::Floats acc, S::Floats a, Weights w) { return S::fma(a, w, acc); }
  static void encode(const float* row, int n, float inverse, float* out) {
    for (int i = 0; i < n; i++) out[i] = (row[i] * inverse + kRound) - kRound;
  }
};
struct Int8 : Int8Product<S, FloatCodes, kTileRows, kTileVectors> {
  using Accumulator = S::Floats;
  static Accumulator start(const int32_t*, int) { return S::zero(); }
  static S::Floats finish(Accumulator sum, const float* row_scales, int row, const float* scales,
                          int column, S::Floats bias) {
    return S::fma(S::mul(sum, S::set1(row_scales[row])), S::load(scales + column), bias);
  }
};
}  // namespace

namespace text2vec {
const Engine portable_float32 = make_engine<Float, Float>("portable", "plain", Dtype::float32, 0);
const Engine portable_bfloat16 =
    make_engine<Bfloat16, Float>("portable", "widening", Dtype::bfloat16, 0);
const Engine portable_int8 = make_engine<Int8, Float>("portable", "plain", Dtype::int8, 0);
}  // namespace text2vec
