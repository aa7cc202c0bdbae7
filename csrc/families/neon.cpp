// Arm's NEON, which every 64-bit Arm processor has: float32, and bfloat16 as far as it goes.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16.h"
#include "../kernels/product_neon.h"

namespace {
struct Bfloat16 : WideningProduct<PortableSimd, kTileRows, kTileVectors> {
  static Weights load(const uint16_t* p) {
    return (Weights)vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
  }
  static float broadcast(const float* p) { return NeonFloat::broadcast(p); }
  static Accumulator multiply(Accumulator acc, float a, Weights w) {
    return NeonFloat::multiply(acc, a, w);
  }
};
}  // namespace

namespace text2vec {
const Engine neon_float32 = make_engine<NeonFloat, NeonFloat>("neon", "fma", Dtype::float32, 0);
const Engine neon_bfloat16 =
    make_engine<Bfloat16, NeonFloat>("neon", "widening", Dtype::bfloat16, 0);
}  // namespace text2vec
