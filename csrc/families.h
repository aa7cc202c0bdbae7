// Every engine that is compiled in, by name; registry.cpp puts them in order.
#pragma once

#include "engine.h"

namespace text2vec {

extern const Engine portable_float32, portable_bfloat16, portable_int8;
extern const Engine amx_emulated_bfloat16, amx_emulated_int8;

#if defined(TEXT2VEC_X86)
extern const Engine avx2_float32, avx2_bfloat16, avx2_int8, avx2_vnni_int8;
extern const Engine avx512_float32, avx512_bfloat16, avx512_int8, avx512_vnni_int8;
extern const Engine avx512_bf16_bfloat16, avx512_bf16_int8;
#if defined(TEXT2VEC_AMX)
extern const Engine amx_bfloat16, amx_int8;
#endif
#endif
#if defined(TEXT2VEC_NEON)
extern const Engine neon_float32, neon_bfloat16, neon_dot_int8;
#endif

}  // namespace text2vec
