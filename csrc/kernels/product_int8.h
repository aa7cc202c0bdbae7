// int8: each output channel's weights and each token's activations have a scale of their own, the
// sums are whole numbers. Families differ in the type that holds an activation.
#pragma once

#include "functions.h"

namespace {

// The largest code. -128 is not used, so that a weight and its negative have the same code.
constexpr float kCodes = 127.0f;

// Added to an absolute maximum, so that a row of zeros has a scale to divide by. It is small
// against any activation that matters and large enough for its inverse to be finite.
constexpr float kTinyMaximum = 1e-30f;

// |code| < 2^22: the low bits of the sum are the whole number.
TEXT2VEC_INLINE int32_t nearest(float code) {
  const float sum = code + kRound;
  uint32_t bits;
  memcpy(&bits, &sum, 4);
  return static_cast<int32_t>(bits - 0x4b400000u);
}

// One output channel: its scale, and the sum of its codes for formats with an offset.
template <int offset>
struct CodeEncoder {
  float inverse = 0, scale = 0;
  int32_t sum = 0;
  CodeEncoder(const float* row, int inputs, float factor) {
    float top = 0;
    for (int k = 0; k < inputs; k++) {
      const float magnitude = row[k] < 0 ? -row[k] : row[k];
      top = magnitude > top ? magnitude : top;
    }
    const float size = factor < 0 ? -factor : factor;
    scale = (top * size + kTinyMaximum) / kCodes;
    inverse = factor / scale;
  }
  int8_t operator()(float w) {
    const int32_t code = nearest(w * inverse);
    sum += code;
    return static_cast<int8_t>(code);
  }
  void finish(int output, float* scales, int32_t* start) const {
    scales[output] = scale;
    start[output] = -offset * sum;
  }
};

// Largest absolute value of a row of n numbers, n a multiple of kPad; NaN if all are NaN.
template <class S>
float absolute_maximum(const float* row, int n) {
  auto even = S::zero(), odd = S::zero();
  for (int i = 0; i < n; i += 2 * S::width) {
    even = S::max(even, S::abs(S::load(row + i)));
    odd = S::max(odd, S::abs(S::load(row + i + S::width)));
  }
  return S::maximum(S::max(even, odd));
}

// What all int8 products have in common. `Codes` says how activations are held and multiplied.
template <class S, class Codes, int TileRows, int TileVectors>
struct Int8Product : Codes {
  using Simd = S;
  using Weight = int8_t;
  using Accumulator = typename S::Ints;
  using typename Codes::Activation;
  static constexpr int tile_rows = TileRows, tile_vectors = TileVectors;
  static constexpr bool scaled = true;
  static constexpr int gelu_terms = 5;
  static constexpr int8_t none = 0;
  using Encoder = CodeEncoder<Codes::offset>;

  static Accumulator start(const int32_t* start, int column) {
    return S::load_ints(start + column);
  }
  static typename S::Floats finish(Accumulator acc, const float* row_scales, int row,
                                   const float* scales, int column, typename S::Floats bias) {
    const auto sum = S::mul(S::to_floats(acc), S::set1(row_scales[row]));
    return S::fma(sum, S::load(scales + column), bias);
  }
  // Codes of a row of n numbers, n a multiple of kPad; returns what one code is worth.
  static float quantise(const float* row, int n, Activation* out) {
    const float top = absolute_maximum<S>(row, n) + kTinyMaximum;
    Codes::encode(row, n, kCodes / top, out);
    return top / kCodes;
  }
};

}  // namespace
