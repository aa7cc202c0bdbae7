// bfloat16 with AVX-512 BF16; int8 with VNNI where a processor has both. Attention multiplies
// bfloat16: twice the products of float32 an instruction, and half the bytes of keys and values.
#include "../families.h"
#include "../kernels/forward.h"
#include "../kernels/product_bfloat16_512.h"
#include "../kernels/product_int8_512.h"
#include "../processor.h"

namespace {
using Int8 = Int8Product<Avx512Simd, VnniCodes, kTileRows, kTileVectors>;
}  // namespace

namespace text2vec {
const Engine avx512_bf16_bfloat16 = make_engine<PairedBfloat16, PairedBfloat16>(
    "avx512", "bf16", Dtype::bfloat16, kAvx512 | kAvx512Bf16);
const Engine avx512_bf16_int8 = make_engine<Int8, PairedBfloat16>(
    "avx512", "vnni-bf16", Dtype::int8, kAvx512 | kAvx512Vnni | kAvx512Bf16);
}  // namespace text2vec
