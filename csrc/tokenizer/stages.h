// The steps of a normaliser. Each takes a text in chunks and keeps between them only what it must.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "charsmap.h"

namespace text2vec::tokenizer {

// A step, as the file describes it. Chunks end where neighbours cannot influence each other.
struct StageSpec {
  enum Kind : uint32_t { kCharsmap = 1, kStrip = 2, kFoldSpaces = 3, kLowercase = 4, kBert = 5 };
  enum StripFlags : uint32_t { kLeft = 1, kRight = 2 };
  enum BertFlags : uint32_t { kClean = 1, kSpaceIdeographs = 2, kStripAccents = 4, kLower = 8 };

  Kind kind;
  uint32_t option;      // flags; for kFoldSpaces the shortest run that is replaced
  std::string content;  // kFoldSpaces: what a run becomes
};

class Stage {
 public:
  virtual ~Stage() = default;
  // Forgets what a former text left behind.
  virtual void start() {}
  // Appends to `out` what is certain after this chunk; `last` closes the text.
  virtual void apply(std::string_view chunk, bool last, std::string& out) = 0;
};

// Raises std::invalid_argument for a kind that this version does not know.
std::unique_ptr<Stage> make_stage(const StageSpec& spec, const Charsmap& charsmap);

// All steps in their order.
class Normalizer {
 public:
  Normalizer(const std::vector<StageSpec>& specs, const Charsmap& charsmap);
  void start();
  // The normalised chunk; valid until the next call.
  std::string_view apply(std::string_view chunk, bool last);

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
  std::string buffers_[2];
};

}  // namespace text2vec::tokenizer
