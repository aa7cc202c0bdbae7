// The size of AMX tiles. A backend is a struct with this interface, all static:
//   Session                   made by a thread before it multiplies
//   zero_sums()               sum[i][j] = 0, for i and j in {0, 1}
//   load_left<i>(p, stride)   16 rows of activations, `stride` bytes apart
//   load_right<j>(p, stride)  16 columns of weights: groups of 4 bytes of k, one below the other
//   dot_int8<i, j>(), dot_bfloat16<i, j>()   sum[i][j] += left[i] * right[j]
//   store_sum<i, j>(p, stride)
#pragma once

namespace {

constexpr int kTileSize = 16;   // rows of a tile, and 4-byte columns
constexpr int kTileBytes = 64;  // bytes of a tile's row

}  // namespace
