// exp and GELU by polynomials, for any vector width.
#pragma once

#include "../model.h"
#include "unroll.h"

namespace {

// Adding this to |x| < 2^22 rounds x to a whole number and leaves it in the sum's low bits.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

template <class S, int Terms>
TEXT2VEC_INLINE typename S::Floats polynomial(const float (&c)[Terms], typename S::Floats x) {
  typename S::Floats p = S::set1(c[Terms - 1]);
  unroll<Terms - 1>([&](auto i) { p = S::fma(p, x, S::set1(c[Terms - 2 - i])); });
  return p;
}

// Minimax for 2^f on [-1/2, 1/2]: relative error 7.5e-8.
constexpr float kExp2[] = {1.00000007f,   0.693146967f,   0.240221197f,
                           0.0555071327f, 0.00967554141f, 0.00132764719f};

// exp(x) for x <= 0; relative error below 1e-6 * (1 + |x| / 8). Below -87 it gives exp(-87).
template <class S>
TEXT2VEC_INLINE typename S::Floats exp_negative(typename S::Floats x) {
  const auto y = S::max(S::set1(-87.0f * 1.44269504f), S::mul(x, S::set1(1.44269504f)));
  const auto rounded = S::add(y, S::set1(kRound));
  const auto fraction = S::sub(y, S::sub(rounded, S::set1(kRound)));
  return S::scale_by_power(polynomial<S>(kExp2, fraction), rounded);
}

// GELU is max(x, 0) - d(|x|), where d is a bump that vanishes for large |x|: one polynomial in
// t = 2 |x| / limit - 1, |x| cut at the limit, serves both signs. Coefficients are minimax fits.
template <int Terms>
struct Bump {
  float limit;
  float c[Terms];
};
// Largest absolute error, in the order written: 8e-7, 6e-7, 1.7e-4, 1.1e-4.
constexpr Bump<15> kGeluExact = {
    5.5f,
    {0.00819484031f, -0.0605790818f, 0.191202283f, -0.308643284f, 0.180241549f, 0.260049349f,
     -0.638720334f, 0.461279268f, 0.192289911f, -0.548724047f, 0.185006252f, 0.236377875f,
     -0.15407717f, -0.0397605032f, 0.0358627758f}};
constexpr Bump<15> kGeluTanhExact = {
    5.2f,
    {0.0116540727f, -0.0801365606f, 0.224365546f, -0.287771086f, 0.0385134656f, 0.394877093f,
     -0.51645217f, 0.158123741f, 0.251472269f, -0.295328754f, 0.0434016293f, 0.131430481f,
     -0.0707639446f, -0.0211945395f, 0.0178091618f}};
constexpr Bump<8> kGeluFast = {3.8f,
                               {0.0545031199f, -0.183154637f, 0.193121895f, 0.066995128f,
                                -0.310393555f, 0.181471037f, 0.0628124559f, -0.0651899498f}};
constexpr Bump<8> kGeluTanhFast = {3.8f,
                                   {0.0544837239f, -0.184640912f, 0.192142664f, 0.0718056183f,
                                    -0.30845425f, 0.175686638f, 0.0618159726f, -0.0627693374f}};

template <class S, int Terms>
TEXT2VEC_INLINE typename S::Floats gelu(const Bump<Terms>& bump, typename S::Floats x) {
  const auto magnitude = S::min(S::set1(bump.limit), S::abs(x));
  const auto t = S::fma(magnitude, S::set1(2 / bump.limit), S::set1(-1.0f));
  return S::sub(S::max(S::zero(), x), polynomial<S>(bump.c, t));
}

// The feed-forward layer's activation; the fast GELU is for formats coarser than its error.
template <class S, text2vec::Activation kind, bool exact>
TEXT2VEC_INLINE typename S::Floats activate(typename S::Floats x) {
  using text2vec::Activation;
  if constexpr (kind == Activation::relu) {
    return S::max(S::zero(), x);
  } else if constexpr (kind == Activation::gelu) {
    if constexpr (exact)
      return gelu<S>(kGeluExact, x);
    else
      return gelu<S>(kGeluFast, x);
  } else {
    if constexpr (exact)
      return gelu<S>(kGeluTanhExact, x);
    else
      return gelu<S>(kGeluTanhFast, x);
  }
}

}  // namespace
