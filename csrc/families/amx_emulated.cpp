// The AMX kernels on emulated tiles: slow, never chosen by itself, there to test their logic.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_tiles.h"
#include "../kernels/simd_portable.h"
#include "../kernels/tiles_emulated.h"

namespace {
using S = PortableSimd;
using Float = FloatProduct<S, 6, 2>;

struct SignedCodes {
  using Activation = int8_t;
  static constexpr int group = 4, offset = 0;
  static void encode(const float* row, int n, float inverse, int8_t* out) {
    for (int i = 0; i < n; i++) out[i] = static_cast<int8_t>(nearest(row[i] * inverse));
  }
};
struct Convert {
  static void store(uint16_t* p, S::Floats v) {
    for (int i = 0; i < S::width; i++) p[i] = to_bfloat16(v[i]);
  }
};
using Int8 = TileInt8<S, EmulatedTiles, SignedCodes>;
using Bfloat16 = TileBfloat16<S, EmulatedTiles, Convert>;
}  // namespace

namespace text2vec {
const Engine amx_emulated_bfloat16 =
    make_engine<Bfloat16, Float>("amx-emulated", "tiles", Dtype::bfloat16, 0, false);
const Engine amx_emulated_int8 =
    make_engine<Int8, Float>("amx-emulated", "tiles", Dtype::int8, 0, false);
}  // namespace text2vec
