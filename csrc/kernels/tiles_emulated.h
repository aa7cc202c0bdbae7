// The tile registers of AMX in plain C++, so that the kernels built on them run anywhere.
#pragma once

#include <stdint.h>
#include <string.h>

#include "tiles.h"

namespace {

// Two left tiles, two right tiles, and the four sums of their products. A left tile is 16 rows of
// activations; a right one holds 16 columns of weights, groups of 4 bytes of k below each other.
struct EmulatedTiles {
  struct Session {
    Session() { memset(&registers(), 0, sizeof(Registers)); }
  };

  static void zero_sums() { memset(registers().sum, 0, sizeof registers().sum); }
  template <int i>
  static void load_left(const void* from, ptrdiff_t stride) {
    load(registers().left[i], from, stride);
  }
  template <int j>
  static void load_right(const void* from, ptrdiff_t stride) {
    load(registers().right[j], from, stride);
  }
  template <int i, int j>
  static void store_sum(void* to, ptrdiff_t stride) {
    for (int r = 0; r < kTileSize; r++)
      memcpy(static_cast<char*>(to) + r * stride, registers().sum[i][j][r], kTileBytes);
  }

  // sum[i][j] += left[i] * right[j]
  template <int i, int j>
  static void dot_int8() {
    multiply<int8_t, int32_t>(i, j, [](int8_t a, int8_t b) { return int32_t{a} * int32_t{b}; });
  }
  template <int i, int j>
  static void dot_bfloat16() {
    multiply<uint16_t, float>(i, j, [](uint16_t a, uint16_t b) { return widen(a) * widen(b); });
  }

 private:
  struct Registers {
    char left[2][kTileSize][kTileBytes], right[2][kTileSize][kTileBytes];
    char sum[2][2][kTileSize][kTileBytes];
  };
  static Registers& registers() {
    static thread_local Registers these;
    return these;
  }
  static void load(char (&tile)[kTileSize][kTileBytes], const void* from, ptrdiff_t stride) {
    for (int r = 0; r < kTileSize; r++)
      memcpy(tile[r], static_cast<const char*>(from) + r * stride, kTileBytes);
  }
  static float widen(uint16_t half) {
    const uint32_t bits = static_cast<uint32_t>(half) << 16;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
  }
  template <class In, class Sum, class Product>
  static void multiply(int i, int j, Product product) {
    constexpr int kGroup = static_cast<int>(4 / sizeof(In));
    Registers& r = registers();
    for (int row = 0; row < kTileSize; row++) {
      In a[kTileBytes / sizeof(In)], b[kTileBytes / sizeof(In)];
      Sum sums[kTileSize];
      memcpy(a, r.left[i][row], kTileBytes);
      memcpy(sums, r.sum[i][j][row], kTileBytes);
      for (int k = 0; k < kTileSize; k++) {
        memcpy(b, r.right[j][k], kTileBytes);
        for (int column = 0; column < kTileSize; column++)
          for (int g = 0; g < kGroup; g++)
            sums[column] += product(a[k * kGroup + g], b[column * kGroup + g]);
      }
      memcpy(r.sum[i][j][row], sums, kTileBytes);
    }
  }
};

}  // namespace
