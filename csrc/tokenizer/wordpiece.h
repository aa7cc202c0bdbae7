// WordPiece: the longest piece first, and one unknown token for a word that does not come out.
#pragma once

#include <string>

#include "models.h"
#include "trie.h"

namespace text2vec::tokenizer {

struct WordPieceModel {
  Trie trie;
  std::string continuation;  // what continuing pieces start with, "##"
  int32_t unknown_id;
  size_t max_word_chars;  // a longer word is unknown as a whole
};

class WordPieceEncoder final : public WordEncoder {
 public:
  explicit WordPieceEncoder(const WordPieceModel& model);
  void start(size_t limit) override;
  void append(std::string_view part) override;
  void end_word() override;

 private:
  bool split(const char* begin, const char* end);

  const WordPieceModel& model_;
  Trie::Node continuing_;
  bool continues_ = true;  // whether any piece starts with the continuation
  std::string word_;
  size_t n_chars_ = 0;
};

}  // namespace text2vec::tokenizer
