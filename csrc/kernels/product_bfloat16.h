// bfloat16 weights where the processor cannot multiply them: widened to float32 as they are loaded,
// which costs little since a weight serves all rows of a tile. Activations stay float32.
#pragma once

#include "product_float.h"

namespace {

// The upper half of a float32, rounded to nearest even; NaN stays NaN.
static uint16_t to_bfloat16(float f) {
  uint32_t bits;
  memcpy(&bits, &f, 4);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  bits += 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<uint16_t>(bits >> 16);
}

template <class S, int TileRows, int TileVectors>
struct WideningProduct : FloatProduct<S, TileRows, TileVectors> {
  using Weight = uint16_t;
  using Weights = typename S::Floats;
  static constexpr int gelu_terms = 8, exp_terms = 4;
  static constexpr uint16_t none = 0;
  using Encoder = PlainEncoder<uint16_t, to_bfloat16>;
  static Weights load(const uint16_t* p) { return S::load_bfloat16(p); }
};

}  // namespace
