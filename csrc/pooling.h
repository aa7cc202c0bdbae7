// Token states of one text to its vector.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace text2vec {

enum class Pooling {
  mean,
  cls,
  max,
  mean_sqrt_len_tokens,
  weightedmean,
  lasttoken,
  first_last_avg
};

// Throws std::invalid_argument that lists the names.
Pooling pooling_by_name(const std::string& name);

// Rows of one text's states, `stride` numbers apart.
struct States {
  const float* last = nullptr;   // output of the last layer
  const float* first = nullptr;  // output of the first layer, for first_last_avg
  ptrdiff_t stride = 0;
  int tokens = 0, hidden = 0;
};

// Writes `hidden` numbers. The first `skip` tokens, a prompt, are left out; weightedmean still
// weighs each token with its place in the whole text. No tokens left: zeros, but cls and lasttoken
// are then the whole text's, as in sentence-transformers.
void pool(Pooling pooling, const States& states, int skip, float* out);

}  // namespace text2vec
