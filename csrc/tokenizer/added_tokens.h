// Added tokens ("<s>", "[MASK]"): found in a text before anything else is done with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace text2vec::tokenizer {

struct AddedToken {
  enum Flags : uint32_t { kSingleWord = 1, kStripLeft = 2, kStripRight = 4, kNormalized = 8 };

  int32_t id;
  uint32_t flags;
  std::string content;
};

class AddedTokens {
 public:
  struct Match {
    size_t start, end;  // bytes, the white space that the token takes along included
    int32_t id;
  };

  // Tokens without content are never found.
  explicit AddedTokens(std::vector<AddedToken> tokens);
  bool empty() const { return tokens_.empty(); }

  // Walks over the matches of one text from left to right, without overlaps, the longest at a
  // place. `start` and `end` of successive matches never decrease.
  class Walk {
   public:
    Walk(const AddedTokens& tokens, std::string_view text) : tokens_(tokens), text_(text) {}
    // The next match whose content starts before `until`; false if there is none (yet).
    bool next(size_t until, Match& match);

   private:
    const AddedTokens& tokens_;
    const std::string_view text_;
    size_t scanned_ = 0;     // no content starts before
    size_t covered_ = 0;  // the end of the last match
  };

 private:
  const AddedToken* longest_at(std::string_view text, size_t at) const;

  std::vector<AddedToken> tokens_;             // by first byte
  std::vector<uint32_t> first_of_byte_;        // 257 places in tokens_
  int only_first_byte_ = -1;                   // the first byte of all, if they share one
};

}  // namespace text2vec::tokenizer
