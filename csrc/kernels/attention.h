// softmax(Q K^T) V of one text, head by head; the products are of any format without scales, the
// softmax is float32. Nothing outside the text's own rows is part of any sum: keys beyond its end
// are masked, values beyond its end are never read.
#pragma once

#include <string.h>

#include "product_float.h"
#include "tile.h"

namespace {

constexpr float kNoScore = -3.0e38f;  // below every score; minus infinity would make NaN of itself

template <class P>
struct Attention {
  using S = typename P::Simd;
  using Activation = typename P::Activation;
  using Weight = typename P::Weight;
  static constexpr int kColumns = Gemm<P>::kColumns, kVectors = P::tile_vectors;
  static_assert(!P::scaled, "a sum of whole numbers would need a scale for each key and value");
  static_assert(sizeof(Activation) * P::group == sizeof(float), "a group is moved as one lane");
  static_assert(P::group == 1 || S::width == 16, "lanes of a group may lie anywhere: Avx512Simd");

  // One text's rows of the fused query-key-value product; queries are scaled by 1/sqrt(head_dim).
  struct Text {
    const Activation* qkv;
    ptrdiff_t stride;
    int tokens;
  };

  // Keys transposed and values; of one tile of queries the scores, what each key's share of the
  // result is, and queries whose last group must be filled up.
  struct Memory {
    Weight *keys, *values;
    float* scores;
    Activation *shares, *queries;

    template <class Arena>
    static Memory carve(Arena& arena, int head_dim, int tokens) {
      const auto depth = static_cast<size_t>(round_up(head_dim, kPad));
      const auto length = static_cast<size_t>(round_up(tokens, kPad));
      Memory m;
      m.keys = arena.template take<Weight>(length * depth);
      m.values = arena.template take<Weight>(length * depth);
      m.scores = arena.template take<float>(P::tile_rows * length);
      m.shares = arena.template take<Activation>(P::tile_rows * length);
      m.queries = arena.template take<Activation>(head_dim % P::group ? P::tile_rows * depth : 0);
      return m;
    }
  };

  // sink(row, column, Floats, count) gets the result; `count` lanes are real.
  template <class Sink>
  static void run(const Text& text, const Shape& shape, const DistanceBias& distances,
                  const Memory& memory, Sink sink) {
    const int head_dim = shape.head_dim;
    for (int head = 0; head < shape.heads; head++) {
      const Activation* const q = text.qkv + head * head_dim;
      const float* const bias =
          distances.values ? distances.values + head * distances.stride + distances.zero : nullptr;
      pack_keys(q + shape.hidden, text, head_dim, memory.keys);
      pack_values(q + 2 * shape.hidden, text, head_dim, memory.values);
      const int tiles = (text.tokens + P::tile_rows - 1) / P::tile_rows;
      for (int t = 0; t < tiles; t++) {
        const int first = static_cast<int>(static_cast<int64_t>(text.tokens) * t / tiles);
        const int last = static_cast<int>(static_cast<int64_t>(text.tokens) * (t + 1) / tiles);
        Gemm<P>::with_height(last - first, [&](auto rows) {
          query_tile<decltype(rows)::value>(q, text, head_dim, first, memory, bias,
                                            head * head_dim, sink);
        });
      }
    }
  }

 private:
  static constexpr int groups(int n) { return (n + P::group - 1) / P::group; }

  // Panels of [head_dim / group][kColumns keys][group]. Lanes beyond the last key hold whatever
  // lies there: they are replaced, not multiplied by zero, before the softmax.
  static void pack_keys(const Activation* k, const Text& text, int head_dim, Weight* out) {
    const ptrdiff_t stride = text.stride / P::group;
    for (int key = 0; key < text.tokens; key += S::width) {
      const auto* const from = reinterpret_cast<const float*>(k + key * text.stride);
      auto* const panel = reinterpret_cast<float*>(key_panel(out, key, head_dim)) + key % kColumns;
      for (int g = 0; g < groups(head_dim); g += S::width)
        S::transpose(from + g, stride, panel + g * kColumns, kColumns);
    }
  }
  static Weight* key_panel(Weight* keys, int key, int head_dim) {
    return keys + static_cast<ptrdiff_t>(key / kColumns) * kColumns *
                      round_up(head_dim, S::width * P::group);
  }

  // Panels of [token / group][kColumns of head_dim][group], zeros behind the head's own columns and
  // the text's own tokens.
  static void pack_values(const Activation* v, const Text& text, int head_dim, Weight* out) {
    for (int d = 0; d < head_dim; d += kColumns)
      for (int token = 0; token < text.tokens; token += P::group, out += kColumns * P::group)
        for (int i = 0; i < kColumns; i += S::width)
          P::pack_group(v + token * text.stride + d + i, text.stride, text.tokens - token,
                        head_dim - d - i, out + i * P::group);
  }

  template <int Height, class Sink>
  static TEXT2VEC_NOINLINE void query_tile(const Activation* q, const Text& text, int head_dim,
                                           int first, const Memory& memory, const float* bias,
                                           int column, Sink& sink) {
    const int keys = round_up(text.tokens, kColumns);
    float* const scores = memory.scores;
    const Activation* rows = q + first * text.stride;
    ptrdiff_t stride = text.stride;
    if (head_dim % P::group) {  // what follows the head belongs to the next one
      stride = round_up(head_dim, kPad);
      for (int r = 0; r < Height; r++) {
        Activation* const row = memory.queries + r * stride;
        memset(row, 0, sizeof(Activation) * static_cast<size_t>(stride));
        memcpy(row, rows + r * text.stride, sizeof(Activation) * static_cast<size_t>(head_dim));
      }
      rows = memory.queries;
    }
    if (text.tokens <= S::width) {  // half a panel: most short texts
      score<Height, 1>(rows, stride, head_dim, memory.keys, keys, scores);
    } else {
      for (int key = 0; key < text.tokens; key += kColumns)
        score<Height, kVectors>(rows, stride, head_dim, key_panel(memory.keys, key, head_dim), keys,
                                scores + key);
    }
    if (bias)
      for (int r = 0; r < Height; r++) add_bias(scores + r * keys, bias - (first + r), text.tokens);
    float inverse[Height];
    for (int r = 0; r < Height; r++)
      inverse[r] = softmax(scores + r * keys, text.tokens, memory.shares + r * keys);
    const Weight* values = memory.values;
    for (int d = 0; d < head_dim; d += kColumns) {
      typename S::Floats acc[Height][kVectors];
      unroll<Height>([&](auto r) { unroll<kVectors>([&](auto i) { acc[r][i] = S::zero(); }); });
      accumulate<P, Height, kVectors>(memory.shares, keys, values, kColumns * P::group,
                                      groups(text.tokens), acc);
      values += static_cast<ptrdiff_t>(groups(text.tokens)) * P::group * kColumns;
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
  static TEXT2VEC_INLINE void score(const Activation* q, ptrdiff_t stride, int head_dim,
                                    const Weight* k, int keys, float* scores) {
    typename S::Floats acc[Height][Vectors];
    unroll<Height>([&](auto r) { unroll<Vectors>([&](auto i) { acc[r][i] = S::zero(); }); });
    accumulate<P, Height, Vectors>(q, stride, k, kColumns * P::group, groups(head_dim), acc);
    unroll<Height>([&](auto r) {
      unroll<Vectors>([&](auto i) { S::store(scores + r * keys + i * S::width, acc[r][i]); });
    });
  }

  // Adds what the distance to each key is worth; `bias` has the first key's.
  static TEXT2VEC_INLINE void add_bias(float* scores, const float* bias, int tokens) {
    for (int key = 0; key < tokens; key += S::width)
      S::store(scores + key, S::add(S::load(scores + key), S::load(bias + key)));
  }

  // exp(score - largest score), zeros up to a whole vector; returns one over their sum.
  static TEXT2VEC_INLINE float softmax(const float* scores, int tokens, Activation* shares) {
    const int whole = tokens - tokens % S::width;
    auto top = S::set1(kNoScore);
    for (int i = 0; i < whole; i += S::width) top = S::max(top, S::load(scores + i));
    const auto rest = S::select_first(
        tokens - whole, whole < tokens ? S::load(scores + whole) : top, S::set1(kNoScore));
    const auto largest = S::set1(S::maximum(S::max(top, rest)));
    auto sum = S::zero();
    for (int i = 0; i < whole; i += S::width) {
      const auto e = exp_negative<S, P::exp_terms>(S::sub(S::load(scores + i), largest));
      P::store(shares + i, e);
      sum = S::add(sum, e);
    }
    if (whole < tokens) {
      const auto last = exp_negative<S, P::exp_terms>(S::sub(rest, largest));
      const auto e = S::select_first(tokens - whole, last, S::zero());
      P::store(shares + whole, e);
      sum = S::add(sum, e);
    }
    return 1 / S::sum(sum);
  }
};

}  // namespace
