// softmax(Q K^T) V of one text, in float32, head by head. Nothing outside the text's own rows is
// part of any sum: keys beyond its end are masked, values beyond its end are never read.
#pragma once

#include "product_float.h"
#include "tile.h"

namespace {

constexpr float kNoScore = -3.0e38f;  // below every score; minus infinity would make NaN of itself

// One text's rows of the fused query-key-value product; queries are scaled by 1/sqrt(head_dim).
struct TextRows {
  const float* qkv;
  ptrdiff_t stride;
  int tokens;
};

template <class P>  // the float product of the family
struct Attention {
  using S = typename P::Simd;
  static constexpr int kColumns = Gemm<P>::kColumns, kVectors = P::tile_vectors;

  // Working memory, in floats: keys transposed, values, and one tile's scores.
  static size_t floats(int head_dim, int tokens) {
    const size_t keys = static_cast<size_t>(round_up(tokens, kPad));
    return keys * static_cast<size_t>(2 * round_up(head_dim, kPad) + P::tile_rows);
  }

  // sink(row, column, Floats, count) gets the result; `count` lanes are real.
  template <class Sink>
  static void run(const TextRows& text, const Shape& shape, const DistanceBias& distances,
                  float* memory, Sink sink) {
    const int head_dim = shape.head_dim, keys = round_up(text.tokens, kPad);
    float* const k = memory;
    float* const v = k + static_cast<ptrdiff_t>(keys) * round_up(head_dim, kPad);
    float* const scores = v + static_cast<ptrdiff_t>(keys) * round_up(head_dim, kPad);
    for (int head = 0; head < shape.heads; head++) {
      const float* const q = text.qkv + head * head_dim;
      const float* const bias =
          distances.values ? distances.values + head * distances.stride + distances.zero : nullptr;
      pack_keys(q + shape.hidden, text, head_dim, k);
      pack_values(q + 2 * shape.hidden, text, head_dim, v);
      const int tiles = (text.tokens + P::tile_rows - 1) / P::tile_rows;
      for (int t = 0; t < tiles; t++) {
        const int first = text.tokens * t / tiles, last = text.tokens * (t + 1) / tiles;
        Gemm<P>::with_height(last - first, [&](auto rows) {
          query_tile<decltype(rows)::value>(q, text, head_dim, first, k, v, bias, scores,
                                            head * head_dim, sink);
        });
      }
    }
  }

 private:
  // Panels of [head_dim][kColumns keys]. Lanes beyond the last key hold whatever lies there: they
  // are replaced, not multiplied by zero, before the softmax.
  static void pack_keys(const float* k, const TextRows& text, int head_dim, float* out) {
    for (int key = 0; key < text.tokens; key += S::width) {
      float* panel =
          out + static_cast<ptrdiff_t>(key / kColumns) * kColumns * round_up(head_dim, S::width) +
          key % kColumns;
      for (int d = 0; d < head_dim; d += S::width)
        S::transpose(k + key * text.stride + d, text.stride, panel + d * kColumns, kColumns);
    }
  }

  // Panels of [token][kColumns of head_dim], zeros behind the head's own columns.
  static void pack_values(const float* v, const TextRows& text, int head_dim, float* out) {
    for (int d = 0; d < head_dim; d += kColumns)
      for (int token = 0; token < text.tokens; token++, out += kColumns)
        for (int i = 0; i < kColumns; i += S::width)
          S::store(out + i, S::select_first(head_dim - d - i,
                                            S::load(v + token * text.stride + d + i), S::zero()));
  }

  template <int Height, class Sink>
  static TEXT2VEC_NOINLINE void query_tile(const float* q, const TextRows& text, int head_dim,
                                           int first, const float* k, const float* v,
                                           const float* bias, float* scores, int column,
                                           Sink& sink) {
    const int keys = round_up(text.tokens, kColumns);
    const float* const rows = q + first * text.stride;
    if (text.tokens <= S::width) {  // half a panel: most short texts
      score<Height, 1>(rows, text, head_dim, k, keys, scores);
    } else {
      for (int key = 0; key < text.tokens; key += kColumns)
        score<Height, kVectors>(rows, text, head_dim,
                                k + static_cast<ptrdiff_t>(key) * round_up(head_dim, S::width),
                                keys, scores + key);
    }
    if (bias)
      for (int r = 0; r < Height; r++) add_bias(scores + r * keys, bias - (first + r), text.tokens);
    float inverse[Height];
    for (int r = 0; r < Height; r++) inverse[r] = softmax(scores + r * keys, text.tokens);
    for (int d = 0; d < head_dim; d += kColumns) {
      typename S::Floats acc[Height][kVectors];
      unroll<Height>([&](auto r) { unroll<kVectors>([&](auto i) { acc[r][i] = S::zero(); }); });
      accumulate<P, Height, kVectors>(scores, keys, v + static_cast<ptrdiff_t>(d) * text.tokens,
                                      kColumns, text.tokens, acc);
      unroll<Height>([&](auto r) {
        unroll<kVectors>([&](auto i) {
          const int at = d + i * S::width;
          if (at < head_dim)
            sink(first + r, column + at, S::mul(acc[r][i], S::set1(inverse[r])), head_dim - at);
        });
      });
    }
  }

  template <int Height, int Vectors>
  static TEXT2VEC_INLINE void score(const float* q, const TextRows& text, int head_dim,
                                    const float* k, int keys, float* scores) {
    typename S::Floats acc[Height][Vectors];
    unroll<Height>([&](auto r) { unroll<Vectors>([&](auto i) { acc[r][i] = S::zero(); }); });
    accumulate<P, Height, Vectors>(q, text.stride, k, kColumns, head_dim, acc);
    unroll<Height>([&](auto r) {
      unroll<Vectors>([&](auto i) { S::store(scores + r * keys + i * S::width, acc[r][i]); });
    });
  }

  // Adds what the distance to each key is worth; `bias` has the first key's.
  static TEXT2VEC_INLINE void add_bias(float* scores, const float* bias, int tokens) {
    for (int key = 0; key < tokens; key += S::width)
      S::store(scores + key, S::add(S::load(scores + key), S::load(bias + key)));
  }

  // exp(score - largest score) in place; returns one over their sum.
  static TEXT2VEC_INLINE float softmax(float* scores, int tokens) {
    const int whole = tokens - tokens % S::width;
    auto top = S::set1(kNoScore);
    for (int i = 0; i < whole; i += S::width) top = S::max(top, S::load(scores + i));
    const auto rest = S::select_first(
        tokens - whole, whole < tokens ? S::load(scores + whole) : top, S::set1(kNoScore));
    const auto largest = S::set1(S::maximum(S::max(top, rest)));
    auto sum = S::zero();
    for (int i = 0; i < whole; i += S::width) {
      const auto e = exp_negative<S>(S::sub(S::load(scores + i), largest));
      S::store(scores + i, e);
      sum = S::add(sum, e);
    }
    if (whole < tokens) {
      const auto e =
          S::select_first(tokens - whole, exp_negative<S>(S::sub(rest, largest)), S::zero());
      S::store(scores + whole, e);
      sum = S::add(sum, e);
    }
    return 1 / S::sum(sum);
  }
};

}  // namespace
