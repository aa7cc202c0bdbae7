// A loop whose index is a constant: the compiler cannot fail to unroll it and to keep the arrays
// that it indexes in registers.
#pragma once

#include <utility>

#if defined(_MSC_VER)
#define TEXT2VEC_INLINE __forceinline
#define TEXT2VEC_NOINLINE __declspec(noinline)
#else
#define TEXT2VEC_INLINE inline __attribute__((always_inline))
#define TEXT2VEC_NOINLINE __attribute__((noinline))
#endif

#if defined(_MSC_VER) && defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace {

// Asks for a cache line that will be read soon.
TEXT2VEC_INLINE void prefetch(const char* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0, 2);
#elif defined(_M_X64)
  _mm_prefetch(p, _MM_HINT_T1);
#else
  (void)p;
#endif
}

template <class Body, int... I>
TEXT2VEC_INLINE void unroll_indices(Body&& body, std::integer_sequence<int, I...>) {
  (body(std::integral_constant<int, I>{}), ...);
}

template <int N, class Body>
TEXT2VEC_INLINE void unroll(Body&& body) {
  unroll_indices(body, std::make_integer_sequence<int, N>{});
}

}  // namespace
