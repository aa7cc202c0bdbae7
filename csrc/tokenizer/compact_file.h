// The compact tokenizer file: what src/text2vec/text/compact.py writes, read in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "added_tokens.h"
#include "splitter.h"
#include "stages.h"
#include "trie.h"

namespace text2vec::tokenizer {

// The file is damaged or of another version; what() says how.
struct FormatError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Everything in the file but the large arrays, and where those lie.
struct CompactFile {
  enum ModelKind : uint32_t { kUnigram = 1, kWordPiece = 2 };

  // Checks the header, its checksum and every offset; touches none of the large arrays. The bytes
  // must be aligned to 8 and outlive this.
  CompactFile(const uint8_t* bytes, size_t size);

  ModelKind model;
  int32_t unknown_id = 0;
  double unknown_score = 0;
  size_t max_piece_bytes = 0;
  size_t max_word_chars = 0;
  std::string continuation;
  std::vector<StageSpec> stages;
  SplitterSpec splitter;
  std::vector<int32_t> template_before, template_after;
  std::vector<AddedToken> added_tokens;

  Trie trie;
  const double* scores = nullptr;
  size_t n_pieces = 0;
  const uint32_t* charsmap_units = nullptr;
  size_t n_charsmap_units = 0;
  std::string_view charsmap_texts;

 private:
  void read_plan(const uint8_t* bytes, size_t size);
};

}  // namespace text2vec::tokenizer
