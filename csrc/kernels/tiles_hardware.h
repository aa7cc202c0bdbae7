// The tile registers of AMX. The intrinsics take register numbers as literals, hence the lists.
#pragma once

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tiles.h"

namespace {

// The compiler must not move reads and writes of memory across: some versions of the intrinsics do
// not say that they read memory, or name eight bytes of what they read. `used` is what they read, so
// that writing it counts.
inline void memory_barrier(const void* used = nullptr) {
#if defined(__GNUC__)
  __asm__ volatile("" ::"r"(used) : "memory");
#else
  _ReadWriteBarrier();
#endif
}

// Sums are tiles 0 to 3, left operands 4 and 5, right ones 6 and 7.
struct HardwareTiles {
  // The configuration belongs to the thread, and is released so that others need not save it.
  struct Session {
    Session() {
      struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes_per_row[16];
        uint8_t rows[16];
      } config;
      static_assert(sizeof config == 64, "as the processor reads it");
      memset(&config, 0, sizeof config);
      config.palette = 1;
      for (int i = 0; i < 8; i++) config.bytes_per_row[i] = kTileBytes, config.rows[i] = kTileSize;
      memory_barrier(&config);
      _tile_loadconfig(&config);
      memory_barrier();
    }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  static void zero_sums() {
    memory_barrier();
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  template <int i>
  static void load_left(const void* from, ptrdiff_t stride) {
    if constexpr (i == 0)
      _tile_loadd(4, from, stride);
    else
      _tile_loadd(5, from, stride);
  }
  template <int j>
  static void load_right(const void* from, ptrdiff_t stride) {
    if constexpr (j == 0)
      _tile_loadd(6, from, stride);
    else
      _tile_loadd(7, from, stride);
  }
  template <int i, int j>
  static void dot_int8() {
    if constexpr (i == 0 && j == 0)
      _tile_dpbssd(0, 4, 6);
    else if constexpr (i == 0)
      _tile_dpbssd(1, 4, 7);
    else if constexpr (j == 0)
      _tile_dpbssd(2, 5, 6);
    else
      _tile_dpbssd(3, 5, 7);
  }
  template <int i, int j>
  static void dot_bfloat16() {
    if constexpr (i == 0 && j == 0)
      _tile_dpbf16ps(0, 4, 6);
    else if constexpr (i == 0)
      _tile_dpbf16ps(1, 4, 7);
    else if constexpr (j == 0)
      _tile_dpbf16ps(2, 5, 6);
    else
      _tile_dpbf16ps(3, 5, 7);
  }
  template <int i, int j>
  static void store_sum(void* to, ptrdiff_t stride) {
    if constexpr (i == 0 && j == 0)
      _tile_stored(0, to, stride);
    else if constexpr (i == 0)
      _tile_stored(1, to, stride);
    else if constexpr (j == 0)
      _tile_stored(2, to, stride);
    else
      _tile_stored(3, to, stride);
    memory_barrier();
  }
};

}  // namespace
