// SentencePiece's precompiled character map, applied as `tokenizers` applies it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "code_points.h"

namespace text2vec::tokenizer {

class Charsmap {
 public:
  // `units` is a darts-clone double array, `texts` the replacements, each closed by a NUL; both
  // must outlive this.
  Charsmap(const uint32_t* units, size_t n_units, std::string_view texts);

  // Appends the normalised `text`, which must start and end at grapheme boundaries. A cluster of
  // less than 6 bytes is replaced as a whole by what its shortest mapped prefix maps to; else
  // each code point is mapped by itself.
  void apply(std::string_view text, std::string& out) const;

 private:
  bool replace(const char* begin, const char* end, std::string& out) const;
  void apply_cluster(const char* begin, const char* end, std::string& out) const;

  const uint32_t* units_;
  size_t n_units_;
  std::string_view texts_;
  bool plain_[128];  // ASCII that is neither mapped nor part of CR LF
};

}  // namespace text2vec::tokenizer
