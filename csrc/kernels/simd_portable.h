// Four floats, in plain C++: GCC's and Clang's vector types where they exist, else a loop.
#pragma once

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "unroll.h"

namespace {

struct PortableSimd {
  static constexpr int width = 4;
#if defined(__GNUC__)
  using Floats = float __attribute__((vector_size(16)));
  using Ints = int32_t __attribute__((vector_size(16)));
  static Floats set1(float x) { return Floats{x, x, x, x}; }
  static Floats add(Floats a, Floats b) { return a + b; }
  static Floats sub(Floats a, Floats b) { return a - b; }
  static Floats mul(Floats a, Floats b) { return a * b; }
  static Floats fma(Floats a, Floats b, Floats c) { return a * b + c; }
  // Of two numbers that do not compare, the second: a NaN in `b` goes through.
  static Floats max(Floats a, Floats b) { return a > b ? a : b; }
  static Floats min(Floats a, Floats b) { return a < b ? a : b; }
  static Floats to_floats(Ints a) { return __builtin_convertvector(a, Floats); }
  static Floats load_int8(const int8_t* p) {
    using Bytes = int8_t __attribute__((vector_size(4)));
    return __builtin_convertvector(load_as<Bytes>(p), Floats);
  }
  static Floats load_bfloat16(const uint16_t* p) {
    using Halves = uint16_t __attribute__((vector_size(8)));
    return (Floats)(__builtin_convertvector(load_as<Halves>(p), Ints) << 16);
  }
  // p * 2^n for whole n in [-126, 127], given as n + kRound: the sum's low bits are n itself.
  static Floats scale_by_power(Floats p, Floats n_plus_round) {
    using Bits = uint32_t __attribute__((vector_size(16)));
    return p * (Floats)(((Bits)n_plus_round << 23) + 0x3f800000u);
  }
#else
  struct Floats {
    float lane[width];
    float& operator[](int i) { return lane[i]; }
    float operator[](int i) const { return lane[i]; }
  };
  struct Ints {
    int32_t lane[width];
    int32_t& operator[](int i) { return lane[i]; }
    int32_t operator[](int i) const { return lane[i]; }
  };
  template <class T, class F>
  static TEXT2VEC_INLINE T make(F f) {
    T out;
    for (int i = 0; i < width; i++) out[i] = f(i);
    return out;
  }
  static Floats set1(float x) {
    return make<Floats>([&](int) { return x; });
  }
  static Floats add(Floats a, Floats b) {
    return make<Floats>([&](int i) { return a[i] + b[i]; });
  }
  static Floats sub(Floats a, Floats b) {
    return make<Floats>([&](int i) { return a[i] - b[i]; });
  }
  static Floats mul(Floats a, Floats b) {
    return make<Floats>([&](int i) { return a[i] * b[i]; });
  }
  static Floats fma(Floats a, Floats b, Floats c) {
    return make<Floats>([&](int i) { return a[i] * b[i] + c[i]; });
  }
  static Floats max(Floats a, Floats b) {
    return make<Floats>([&](int i) { return a[i] > b[i] ? a[i] : b[i]; });
  }
  static Floats min(Floats a, Floats b) {
    return make<Floats>([&](int i) { return a[i] < b[i] ? a[i] : b[i]; });
  }
  static Floats to_floats(Ints a) {
    return make<Floats>([&](int i) { return static_cast<float>(a[i]); });
  }
  static Floats load_int8(const int8_t* p) {
    return make<Floats>([&](int i) { return static_cast<float>(p[i]); });
  }
  static Floats load_bfloat16(const uint16_t* p) {
    return make<Floats>([&](int i) { return from_bits(static_cast<uint32_t>(p[i]) << 16); });
  }
  // p * 2^n for whole n in [-126, 127], given as n + kRound: the sum's low bits are n itself.
  static Floats scale_by_power(Floats p, Floats n_plus_round) {
    return make<Floats>([&](int i) {
      const float sum = n_plus_round[i];
      uint32_t bits;
      memcpy(&bits, &sum, 4);
      return p[i] * from_bits((bits << 23) + 0x3f800000u);
    });
  }
  static float from_bits(uint32_t bits) {
    float out;
    memcpy(&out, &bits, 4);
    return out;
  }
#endif
  template <class T>
  static T load_as(const void* p) {
    T out;
    memcpy(&out, p, sizeof out);
    return out;
  }
  static Floats load(const float* p) { return load_as<Floats>(p); }
  static Ints load_ints(const int32_t* p) { return load_as<Ints>(p); }
  static void store(float* p, Floats v) { memcpy(p, &v, sizeof v); }
  static Floats zero() { return set1(0); }
  static Floats abs(Floats v) { return max(sub(zero(), v), v); }

  // Lanes below `count` from a, the others from b.
  static Floats select_first(int count, Floats a, Floats b) {
    for (int i = 0; i < width; i++) a[i] = i < count ? a[i] : b[i];
    return a;
  }
  static float sum(Floats v) { return (v[0] + v[1]) + (v[2] + v[3]); }
  static float maximum(Floats v) {
    float top = v[0];
    for (int i = 1; i < width; i++) top = top > v[i] ? top : v[i];
    return top;
  }
  // Four rows of four numbers, `source` apart, to their columns, `target` apart.
  static void transpose(const float* from, ptrdiff_t source, float* to, ptrdiff_t target) {
    for (int r = 0; r < width; r++)
      for (int c = 0; c < width; c++) to[c * target + r] = from[r * source + c];
  }
};

}  // namespace
