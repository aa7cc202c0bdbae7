// float32 weights and activations.
#pragma once

#include "functions.h"

namespace {

// Weights that are not quantised: times the factor, converted by the product's own rule.
template <class Weight, Weight (*convert)(float)>
struct PlainEncoder {
  float factor;
  PlainEncoder(const float*, int, float f) : factor(f) {}
  Weight operator()(float w) const { return convert(w * factor); }
  void finish(int, float*, int32_t*) const {}
};

template <class S, int TileRows, int TileVectors>
struct FloatProduct {
  using Simd = S;
  using Activation = float;
  using Weight = float;
  using Weights = typename S::Floats;
  using Accumulator = typename S::Floats;
  static constexpr int group = 1, tile_rows = TileRows, tile_vectors = TileVectors;
  static constexpr bool scaled = false;
  static constexpr int gelu_terms = 15, exp_terms = 6;
  static constexpr float none = 0;

  static float same(float w) { return w; }
  using Encoder = PlainEncoder<float, same>;

  static Weights load(const float* p) { return S::load(p); }
  static typename S::Floats broadcast(const float* p) { return S::set1(*p); }
  static Accumulator start(const int32_t*, int) { return S::zero(); }
  static Accumulator multiply(Accumulator acc, typename S::Floats a, Weights w) {
    return S::fma(a, w, acc);
  }
  static typename S::Floats finish(Accumulator acc, const float*, int, const float*, int,
                                   typename S::Floats bias) {
    return S::add(acc, bias);
  }
  static void store(float* p, typename S::Floats v) { S::store(p, v); }
  // S::width columns of a group of rows as a panel has them; zeros where there is no row or column.
  static void pack_group(const float* rows, ptrdiff_t, int, int columns, float* out) {
    S::store(out, S::select_first(columns, S::load(rows), S::zero()));
  }
};

}  // namespace
