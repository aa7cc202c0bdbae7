#include "pooling.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace text2vec {
namespace {

const std::pair<const char*, Pooling> kNames[] = {
    {"mean", Pooling::mean},
    {"cls", Pooling::cls},
    {"max", Pooling::max},
    {"mean_sqrt_len_tokens", Pooling::mean_sqrt_len_tokens},
    {"weightedmean", Pooling::weightedmean},
    {"lasttoken", Pooling::lasttoken},
    {"first_last_avg", Pooling::first_last_avg},
};

void add(const float* row, float weight, int hidden, float* out) {
  for (int i = 0; i < hidden; i++) out[i] += weight * row[i];
}

void add_rows(const float* rows, const States& s, int skip, float weight, float* out) {
  for (int t = skip; t < s.tokens; t++) add(rows + t * s.stride, weight, s.hidden, out);
}

void weighted_mean(const States& s, int skip, float* out) {
  float total = 0;
  for (int t = skip; t < s.tokens; t++) total += static_cast<float>(t + 1);
  for (int t = skip; t < s.tokens; t++)
    add(s.last + t * s.stride, static_cast<float>(t + 1) / total, s.hidden, out);
}

void maximum(const States& s, int skip, float* out) {
  std::copy_n(s.last + skip * s.stride, s.hidden, out);
  for (int t = skip + 1; t < s.tokens; t++) {
    const float* row = s.last + t * s.stride;
    // A NaN fails the comparison and is taken, so it shows in the result.
    for (int i = 0; i < s.hidden; i++) out[i] = out[i] > row[i] ? out[i] : row[i];
  }
}

}  // namespace

Pooling pooling_by_name(const std::string& name) {
  std::string known;
  for (const auto& [known_name, pooling] : kNames) {
    if (name == known_name) return pooling;
    known += (known.empty() ? "" : ", ") + std::string(known_name);
  }
  throw std::invalid_argument("pooling \"" + name + "\" is unknown; expected one of " + known);
}

void pool(Pooling pooling, const States& s, int skip, float* out) {
  std::fill_n(out, s.hidden, 0.0f);
  const int tokens = s.tokens - skip;
  if (s.tokens == 0) return;
  if (tokens <= 0 && pooling == Pooling::cls)
    skip = 0;
  else if (tokens <= 0 && pooling != Pooling::lasttoken)
    return;
  const auto count = static_cast<float>(tokens);
  switch (pooling) {
    case Pooling::mean:
      add_rows(s.last, s, skip, 1 / count, out);
      break;
    case Pooling::cls:
      std::copy_n(s.last + skip * s.stride, s.hidden, out);
      break;
    case Pooling::max:
      maximum(s, skip, out);
      break;
    case Pooling::mean_sqrt_len_tokens:
      add_rows(s.last, s, skip, 1 / std::sqrt(count), out);
      break;
    case Pooling::weightedmean:
      weighted_mean(s, skip, out);
      break;
    case Pooling::lasttoken:
      std::copy_n(s.last + (s.tokens - 1) * s.stride, s.hidden, out);
      break;
    case Pooling::first_last_avg:
      add_rows(s.first, s, skip, 0.5f / count, out);
      add_rows(s.last, s, skip, 0.5f / count, out);
      break;
  }
}

}  // namespace text2vec
