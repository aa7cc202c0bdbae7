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

// Minimax for 2^f on [-1/2, 1/2]; relative error 7.5e-8 and, for what is rounded to bfloat16,
// 7.5e-5.
template <int Terms>
struct Exp2 {
  float c[Terms];
};
template <int Terms>
constexpr Exp2<Terms> kExp2 = {};
template <>
constexpr Exp2<6> kExp2<6> = {
    {1.00000007f, 0.693146967f, 0.240221197f, 0.0555071327f, 0.00967554141f, 0.00132764719f}};
template <>
constexpr Exp2<4> kExp2<4> = {{0.999928073f, 0.693261056f, 0.24261117f, 0.0551714178f}};

// exp(x) for x <= 0; with six terms the relative error is below 1e-6 * (1 + |x| / 8). Below -87 it
// gives exp(-87).
template <class S, int Terms>
TEXT2VEC_INLINE typename S::Floats exp_negative(typename S::Floats x) {
  const auto y = S::max(S::set1(-87.0f * 1.44269504f), S::mul(x, S::set1(1.44269504f)));
  const auto rounded = S::add(y, S::set1(kRound));
  const auto fraction = S::sub(y, S::sub(rounded, S::set1(kRound)));
  return S::scale_by_power(polynomial<S>(kExp2<Terms>.c, fraction), rounded);
}

// GELU is max(x, 0) - d(|x|), where d is a bump that vanishes for large |x|: one polynomial in
// t = |x| - limit / 2, |x| cut at the limit, serves both signs. Coefficients are minimax fits. How
// many terms, says the product: its format need not be finer than what becomes of the result.
template <int Terms>
struct Bump {
  float limit;
  float c[Terms];
};
template <text2vec::Activation kind, int Terms>
constexpr Bump<Terms> kGelu = {};

// Largest absolute error, in the order written: 8e-7, 1.7e-4, 1.7e-3 (a twentieth of what a code of
// int8 is worth where the largest activation is 4); 6e-7, 1.1e-4, 1.6e-3 with tanh.
template <>
constexpr Bump<15> kGelu<text2vec::Activation::gelu, 15> = {
    5.5f,
    {0.00819484031f, -0.022028757f, 0.0252829465f, -0.0148408491f, 0.00315154952f, 0.0016534547f,
     -0.00147677584f, 0.000387824355f, 5.87888477e-05f, -6.10042017e-05f, 7.4792744e-06f,
     3.47493905e-06f, -8.23656191e-07f, -7.72906309e-08f, 2.535048e-08f}};
template <>
constexpr Bump<8> kGelu<text2vec::Activation::gelu, 8> = {
    3.8f,
    {0.0545031199f, -0.0963971774f, 0.0534963698f, 0.00976747747f, -0.0238176161f, 0.00732890878f,
     0.00133513189f, -0.000729298701f}};
template <>
constexpr Bump<5> kGelu<text2vec::Activation::gelu, 5> = {
    3.2f, {0.0892287925f, -0.125077305f, 0.0194835088f, 0.0492120548f, -0.0212596061f}};
template <>
constexpr Bump<15> kGelu<text2vec::Activation::gelu_tanh, 15> = {
    5.2f,
    {0.0116540727f, -0.0308217541f, 0.0331901695f, -0.0163729566f, 0.000842789678f, 0.00332349631f,
     -0.00167182193f, 0.00019687186f, 0.000120421301f, -5.43933242e-05f, 3.07448624e-06f,
     3.5808759e-06f, -7.41535348e-07f, -8.54221428e-08f, 2.76068343e-08f}};
template <>
constexpr Bump<8> kGelu<text2vec::Activation::gelu_tanh, 8> = {
    3.8f,
    {0.0544837239f, -0.0971794274f, 0.0532251147f, 0.0104688174f, -0.0236688063f, 0.00709529942f,
     0.00131395079f, -0.000702218614f}};
template <>
constexpr Bump<5> kGelu<text2vec::Activation::gelu_tanh, 5> = {
    3.2f, {0.0893794457f, -0.125466761f, 0.018935701f, 0.0493376668f, -0.0210800465f}};

// The feed-forward layer's activation. Where multiplications are what a processor is short of,
// GELU costs as many as its polynomial has terms, less one.
template <class S, text2vec::Activation kind, int GeluTerms>
TEXT2VEC_INLINE typename S::Floats activate(typename S::Floats x) {
  if constexpr (kind == text2vec::Activation::relu) {
    return S::max(S::zero(), x);
  } else {
    constexpr auto& bump = kGelu<kind, GeluTerms>;
    const auto magnitude = S::min(S::set1(bump.limit), S::abs(x));
    const auto t = S::sub(magnitude, S::set1(bump.limit / 2));
    return S::sub(S::max(S::zero(), x), polynomial<S>(bump.c, t));
  }
}

}  // namespace
