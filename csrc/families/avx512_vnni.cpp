// int8 with AVX-512 VNNI, attention in float32.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_int8_512.h"
#include "../processor.h"

namespace {
using Float = FloatProduct<Avx512Simd, kTileRows, kTileVectors>;
using Int8 = Int8Product<Avx512Simd, VnniCodes, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine avx512_vnni_int8 =
    make_engine<Int8, Float>("avx512", "vnni", Dtype::int8, kAvx512 | kAvx512Vnni);
}  // namespace text2vec
