// The matrix product of the vector families: a tile of rows x columns is summed in registers over
// all of k, then handed to an epilogue. Each row's sum runs over k in order, whatever the tile.
#pragma once

#include "../engine.h"
#include "unroll.h"

namespace {

using namespace text2vec;

// acc[r][v] += sum over k of a[r][k] * panel[k][v]; `steps` groups of k, panel rows `ldb` apart.
template <class P, int Rows, int Vectors>
TEXT2VEC_INLINE void accumulate(const typename P::Activation* a, ptrdiff_t lda,
                                const typename P::Weight* panel, ptrdiff_t ldb, int steps,
                                typename P::Accumulator (&acc)[Rows][Vectors]) {
  // One pointer for three rows: base + {0, 1, 2} * stride is an address that x86 forms for free,
  // and twelve rows then need four registers instead of twelve.
  const typename P::Activation* base[(Rows + 2) / 3];
  unroll<(Rows + 2) / 3>([&](auto i) { base[i] = a + 3 * i * lda; });
  for (int step = 0; step < steps; step++) {
    typename P::Weights w[Vectors];
    unroll<Vectors>([&](auto v) { w[v] = P::load(panel + v * P::Simd::width * P::group); });
    unroll<Rows>([&](auto r) {
      const auto x = P::broadcast(base[r / 3] + (r % 3) * lda);
      unroll<Vectors>([&](auto v) { acc[r][v] = P::multiply(acc[r][v], x, w[v]); });
    });
    unroll<(Rows + 2) / 3>([&](auto i) { base[i] += P::group; });
    panel += ldb;
  }
}

// The left operand of a product: rows of activations, and their scales where the format has them.
template <class Activation>
struct Rows {
  const Activation* values;
  ptrdiff_t stride;
  const float* scales;
  int count;
};

// How a product multiplies matrices; products of AMX tiles have their own, see product_tiles.h.
template <class P, class = void>
struct Gemm {
  struct Session {  // what a thread sets up before it multiplies: nothing
    Session() {}
  };
  using S = typename P::Simd;
  static constexpr int kVectors = P::tile_vectors;
  static constexpr int kColumns = kVectors * S::width;
  static constexpr int kLine = 64;  // bytes of a cache line
  // k's between two rounds of fetching ahead. A short text fetches much in each: long stretches
  // would ask for more lines at once than a core can wait for.
  static constexpr int kLongStretch = 128, kShortStretch = 32, kFewTiles = 2;
  static_assert(kPad % kColumns == 0, "a panel must divide the padding");

  // epilogue(row, column, Floats[kVectors]) for every row and every kColumns-th column.
  template <class Epilogue>
  static void run(const Rows<typename P::Activation>& a, const Linear& linear, Epilogue epilogue) {
    const int tiles = (a.count + P::tile_rows - 1) / P::tile_rows;
    const auto* panel = static_cast<const typename P::Weight*>(linear.panels);
    for (int column = 0; column < linear.outputs; column += kColumns) {
      // The next panel comes from the third-level cache while this one is multiplied: each tile
      // asks for its share of it, a little at a time. Behind the last panel there is nothing to ask
      // for.
      const int64_t panel_size = static_cast<int64_t>(linear.inputs) * kColumns * sizeof *panel;
      const int64_t share = column + kColumns < linear.outputs ? panel_size / tiles : 0;
      const char* const next = reinterpret_cast<const char*>(panel) + panel_size;
      for (int t = 0; t < tiles; t++) {  // tiles of nearly equal height
        const int first = static_cast<int>(static_cast<int64_t>(a.count) * t / tiles);
        const int last = static_cast<int>(static_cast<int64_t>(a.count) * (t + 1) / tiles);
        with_height(last - first, [&](auto rows) {
          const Ahead ahead{next + t * share, share,
                            tiles > kFewTiles ? kLongStretch : kShortStretch};
          tile<decltype(rows)::value>(a, first, panel, linear, column, ahead, epilogue);
        });
      }
      panel += static_cast<ptrdiff_t>(linear.inputs) * kColumns;
    }
  }

  // Calls body with the height as a constant; 1 <= height <= P::tile_rows.
  template <class Body>
  static TEXT2VEC_INLINE void with_height(int height, Body&& body) {
    unroll<P::tile_rows>([&](auto i) {
      if (height == i + 1) body(std::integral_constant<int, i + 1>{});
    });
  }

 private:
  // Weights to fetch while a tile is computed.
  struct Ahead {
    const char* from;
    int64_t size;
    int stretch;
  };

  template <int Height, class Epilogue>
  static TEXT2VEC_NOINLINE void tile(const Rows<typename P::Activation>& a, int first,
                                     const typename P::Weight* panel, const Linear& linear,
                                     int column, Ahead ahead, Epilogue& epilogue) {
    typename P::Accumulator acc[Height][kVectors];
    unroll<kVectors>([&](auto v) {
      const auto start = P::start(linear.start, column + v * S::width);
      unroll<Height>([&](auto r) { acc[r][v] = start; });
    });
    const auto* rows = a.values + first * a.stride;
    const int64_t fetch = ahead.size * ahead.stretch / linear.inputs;
    for (int k = 0; k < linear.inputs; k += ahead.stretch) {
      for (int64_t at = 0; at < fetch; at += kLine) prefetch(ahead.from + at);
      ahead.from += fetch;
      const int rest = linear.inputs - k;
      accumulate<P, Height, kVectors>(rows + k, a.stride, panel, kColumns * P::group,
                                      (rest < ahead.stretch ? rest : ahead.stretch) / P::group,
                                      acc);
      panel += static_cast<ptrdiff_t>(ahead.stretch) * kColumns;
    }
    unroll<Height>([&](auto r) {
      typename S::Floats out[kVectors];
      unroll<kVectors>([&](auto v) {
        const int at = column + v * S::width;
        out[v] =
            P::finish(acc[r][v], a.scales, first + r, linear.scales, at, S::load(linear.bias + at));
      });
      epilogue(first + r, column, out);
    });
  }
};

// Packs kPad columns into panels of [k / group][column][group].
template <class P>
void pack_panels(const Matrix& matrix, int first, int padded_inputs, void* panels, float* scales,
                 int32_t* start) {
  constexpr int kColumns = Gemm<P>::kColumns;
  auto* const target = static_cast<typename P::Weight*>(panels);
  for (int j = 0; j < kPad; j++) {
    const int output = first + j;
    const bool real = output < matrix.outputs;
    const int part = real ? output / matrix.part_outputs : 0;
    const float* row =
        matrix.parts[part] + (real ? output % matrix.part_outputs : 0) * matrix.stride;
    const int inputs = real ? matrix.inputs : 0;
    typename P::Encoder encode(row, inputs, part == 0 ? matrix.factor : 1.0f);
    auto* column = target + static_cast<ptrdiff_t>(output / kColumns) * padded_inputs * kColumns +
                   static_cast<ptrdiff_t>(output % kColumns) * P::group;
    for (int k = 0; k < padded_inputs; k += P::group, column += kColumns * P::group) {
      for (int g = 0; g < P::group; g++) column[g] = k + g < inputs ? encode(row[k + g]) : P::none;
    }
    encode.finish(output, scales, start);
  }
}

template <class P>
size_t panel_bytes(int outputs, int inputs) {
  return sizeof(typename P::Weight) * static_cast<size_t>(outputs) * static_cast<size_t>(inputs);
}

}  // namespace
