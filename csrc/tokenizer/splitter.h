// Cutting normalised text into words: the pre-tokenizers.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "models.h"

namespace text2vec::tokenizer {

// A pre-tokenizer, as the file describes it.
struct SplitterSpec {
  enum Kind : uint32_t { kMetaspace = 1, kSpaceThenMetaspace = 2, kBert = 3 };
  enum Prepend : uint32_t { kNever = 0, kFirst = 1, kAlways = 2 };

  Kind kind;
  Prepend prepend;
  std::string replacement;  // what stands for a space, U+2581
};

class Splitter {
 public:
  virtual ~Splitter() = default;
  // Begins a text between two added tokens; `at_origin`: no raw text stands before it.
  virtual void start(bool at_origin) = 0;
  // Hands the words of the next part of the text to the model, and stops once that is full.
  virtual void split(std::string_view text, WordEncoder& words) = 0;
  void finish(WordEncoder& words) { words.end_word(); }
};

// Raises std::invalid_argument for a kind that this version does not know.
std::unique_ptr<Splitter> make_splitter(const SplitterSpec& spec);

}  // namespace text2vec::tokenizer
