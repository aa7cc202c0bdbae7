// int8 and bfloat16 by AMX tiles, on any backend with the interface of tiles.h.
//
// A block of 32 rows by 32 columns is summed in four tiles. While the tile unit works on one block,
// the vector unit finishes the rows of the block before: bias, activation, residual.
#pragma once

#include <type_traits>

#include "product_bfloat16.h"
#include "product_int8.h"
#include "tile.h"
#include "tiles.h"

namespace {

template <class P>
struct Gemm<P, std::void_t<typename P::Tiles>> {
  using S = typename P::Simd;
  using Tiles = typename P::Tiles;
  using Session = typename Tiles::Session;
  static constexpr int kBlock = 2 * kTileSize;  // rows and columns of a block
  static constexpr int kColumns = kBlock, kVectors = kBlock / S::width;
  static_assert(kPad % kTileBytes == 0, "k must be whole tiles of one-byte activations");
  static_assert(kRowPad % kTileSize == 0, "a tile reads 16 rows, real or not");

  // epilogue(row, column, Floats[kVectors]), as in the vector families.
  template <class Epilogue>
  static void run(const Rows<typename P::Activation>& a, const Linear& linear, Epilogue epilogue) {
    alignas(kTileBytes) Sum sums[kBlock][kBlock];
    Pending before{};
    const auto* panel = static_cast<const typename P::Weight*>(linear.panels);
    for (int column = 0; column < linear.outputs; column += kColumns) {
      const bool more = column + kColumns < linear.outputs;
      for (int row = 0; row < a.count; row += kBlock) {
        const int height = a.count - row < kBlock ? a.count - row : kBlock;
        const auto finish = [&](int from, int to) {
          for (int r = from; r < to && r < before.height; r++)
            finish_row(sums[r], a, linear, before.row + r, before.column, epilogue);
        };
        const Ahead ahead{more ? panel + static_cast<ptrdiff_t>(linear.inputs) * kColumns : nullptr,
                          row, a.count};
        if (height > kTileSize) {
          multiply<2>(a, row, panel, linear.inputs, ahead, finish);
        } else {
          multiply<1>(a, row, panel, linear.inputs, ahead, finish);
        }
        store<0>(sums);
        if (height > kTileSize) store<1>(sums);
        before = {row, column, height};
      }
      panel += static_cast<ptrdiff_t>(linear.inputs) * kColumns;
    }
    for (int r = 0; r < before.height; r++)
      finish_row(sums[r], a, linear, before.row + r, before.column, epilogue);
  }

 private:
  using Sum = typename P::Sum;
  static constexpr int kStep = kTileBytes / static_cast<int>(sizeof(typename P::Activation));
  static constexpr int kLine = 64;  // bytes of a cache line

  struct Pending {
    int row, column, height;
  };
  // The next panel, to be fetched in equal shares by the blocks of this one; null behind the last.
  struct Ahead {
    const typename P::Weight* panel;
    int row, rows;
  };

  // Sums `Height` by two tiles over all of k; finish(from, to) is called for the rows 0 to kBlock
  // of the block before, a few at each step.
  template <int Height, class Finish>
  static void multiply(const Rows<typename P::Activation>& a, int row,
                       const typename P::Weight* panel, int inputs, const Ahead& ahead,
                       const Finish& finish) {
    const auto bytes = static_cast<ptrdiff_t>(sizeof *panel);
    const ptrdiff_t stride = a.stride * bytes, right_stride = kColumns * P::group * bytes;
    const auto* left = a.values + row * a.stride;
    const int steps = inputs / kStep;
    const ptrdiff_t share = kStep * kColumns * bytes * kBlock / round_up(ahead.rows, kBlock);
    const char* next = reinterpret_cast<const char*>(ahead.panel) + share * steps * (row / kBlock);
    Tiles::zero_sums();
    for (int step = 0; step < steps; step++, left += kStep, panel += kStep * kColumns) {
      Tiles::template load_right<0>(panel, right_stride);
      Tiles::template load_left<0>(left, stride);
      P::template dot<0, 0>();
      Tiles::template load_right<1>(panel + kTileSize * P::group, right_stride);
      P::template dot<0, 1>();
      if constexpr (Height == 2) {
        Tiles::template load_left<1>(left + kTileSize * a.stride, stride);
        P::template dot<1, 0>();
        P::template dot<1, 1>();
      }
      for (ptrdiff_t at = 0; ahead.panel && at < share; at += kLine) prefetch(next + at);
      next += share;
      finish(kBlock * step / steps, kBlock * (step + 1) / steps);
    }
  }

  template <int i>
  static void store(Sum (&sums)[kBlock][kBlock]) {
    Tiles::template store_sum<i, 0>(&sums[i * kTileSize][0], sizeof sums[0]);
    Tiles::template store_sum<i, 1>(&sums[i * kTileSize][kTileSize], sizeof sums[0]);
  }

  template <class Epilogue>
  static TEXT2VEC_INLINE void finish_row(const Sum* sums, const Rows<typename P::Activation>& a,
                                         const Linear& linear, int row, int column,
                                         Epilogue& epilogue) {
    typename S::Floats out[kVectors];
    unroll<kVectors>([&](auto v) {
      const int at = column + v * S::width;
      out[v] = P::finish(P::load_sums(sums + v * S::width), a.scales, row, linear.scales, at,
                         S::load(linear.bias + at));
    });
    epilogue(row, column, out);
  }
};

// `Codes` as in Int8Product, but signed on both sides.
template <class S, class T, class Codes>
struct TileInt8 : Int8Product<S, Codes, 0, 0> {
  using Tiles = T;
  using Sum = int32_t;
  static typename S::Ints load_sums(const int32_t* p) { return S::load_ints(p); }
  template <int i, int j>
  static void dot() {
    T::template dot_int8<i, j>();
  }
};

// `Convert::store(uint16_t*, Floats)` rounds to bfloat16.
template <class S, class T, class Convert>
struct TileBfloat16 : FloatProduct<S, 0, 0>, Convert {
  using Tiles = T;
  using Sum = float;
  using Activation = uint16_t;
  using Weight = uint16_t;
  using Encoder = PlainEncoder<uint16_t, to_bfloat16>;
  using Convert::store;
  static constexpr int group = 2;
  static constexpr int gelu_terms = 8, exp_terms = 4;
  static constexpr uint16_t none = 0;
  static typename S::Floats load_sums(const float* p) { return S::load(p); }
  template <int i, int j>
  static void dot() {
    T::template dot_bfloat16<i, j>();
  }
};

}  // namespace
