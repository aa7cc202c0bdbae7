// int8 with Arm's dot product (SDOT, Armv8.2 and later: Apple's M1, Graviton 2, Cortex-A76): four
// sums of four products an instruction. Attention in float32.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_int8.h"
#include "../kernels/product_neon.h"
#include "../processor.h"

namespace {

// Signed on both sides: codes need no offset.
struct DotCodes {
  using Activation = int8_t;
  using Weights = int8x16_t;
  static constexpr int group = 4, offset = 0;
  static Weights load(const int8_t* p) { return vld1q_s8(p); }
  // Four codes in the lowest lane, which is all that `multiply` reads.
  static int8x8_t broadcast(const int8_t* p) {
    float four;
    memcpy(&four, p, sizeof four);
    return vreinterpret_s8_f32(vset_lane_f32(four, vdup_n_f32(0), 0));
  }
  static PortableSimd::Ints multiply(PortableSimd::Ints acc, int8x8_t a, Weights w) {
    return (PortableSimd::Ints)vdotq_lane_s32((int32x4_t)acc, w, a, 0);
  }
  static void encode(const float* row, int n, float inverse, int8_t* out) {
    const auto codes = [&](int i) {
      return vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(row + i), inverse));
    };
    for (int i = 0; i < n; i += 8)
      vst1_s8(out + i, vqmovn_s16(vcombine_s16(vqmovn_s32(codes(i)), vqmovn_s32(codes(i + 4)))));
  }
};
using Int8 = Int8Product<PortableSimd, DotCodes, kTileRows, kTileVectors>;

}  // namespace

namespace text2vec {
const Engine neon_dot_int8 = make_engine<Int8, NeonFloat>("neon", "dot", Dtype::int8, kArmDot);
}  // namespace text2vec
