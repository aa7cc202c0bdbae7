// What the Arm families share: the tile, and float32 by Arm's own multiplication. All else is the
// portable vector of four floats, which is one Arm register.
#pragma once

#include <arm_neon.h>

#include "product_float.h"
#include "simd_portable.h"

namespace {

// Six rows of four vectors are 24 sums; with four weights and an activation that is 29 of the 32
// registers. The 10 loads of a step take less time than its 24 multiplications.
constexpr int kTileRows = 6, kTileVectors = 4;

// A vector times one lane of another is a single instruction on Arm, so that an activation is
// loaded as a scalar and never spread.
struct NeonFloat : FloatProduct<PortableSimd, kTileRows, kTileVectors> {
  static float broadcast(const float* p) { return *p; }
  static Accumulator multiply(Accumulator acc, float a, Weights w) {
    return (Accumulator)vfmaq_n_f32((float32x4_t)acc, (float32x4_t)w, a);
  }
};

}  // namespace
