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
using Int8 = Int8Product<S, PlainCodes<S>, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine portable_float32 = make_engine<Float, Float>("portable", "plain", Dtype::float32, 0);
const Engine portable_bfloat16 =
    make_engine<Bfloat16, Float>("portable", "widening", Dtype::bfloat16, 0);
const Engine portable_int8 = make_engine<Int8, Float>("portable", "plain", Dtype::int8, 0);
}  // namespace text2vec
