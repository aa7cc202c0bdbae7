// Many texts on several threads.
#pragma once

#include "tokenizer.h"

namespace text2vec::tokenizer {

struct EncodedBatch {
  std::vector<int32_t> ids;       // of all texts, back to back
  std::vector<int64_t> offsets;   // n_texts + 1
  std::vector<uint8_t> truncated;  // n_texts
};

// Encodes the texts in blocks that the threads take in turn; the result does not depend on
// n_threads. Requires n_threads >= 1 and max_length >= tokenizer.n_special().
EncodedBatch encode_batch(const Tokenizer& tokenizer, const std::vector<std::string_view>& texts,
                          size_t max_length, size_t n_threads);

}  // namespace text2vec::tokenizer
