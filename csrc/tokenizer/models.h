// The seam between splitting a text into words and finding the ids of a word.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace text2vec::tokenizer {

// Encodes one text word by word; one object a thread, used for text after text.
class WordEncoder {
 public:
  virtual ~WordEncoder() = default;

  // Ids beyond `limit` are not needed; the words of a former text are forgotten.
  virtual void start(size_t limit) = 0;
  // A word may come in parts of any size.
  virtual void append(std::string_view part) = 0;
  // Closes the word; without any part it does nothing.
  virtual void end_word() = 0;

  void add_special(int32_t id) { ids_.push_back(id); }
  // Whether more ids exist than are needed; nothing that follows can change the first `limit`.
  bool full() const { return ids_.size() > limit_; }
  const std::vector<int32_t>& ids() const { return ids_; }

 protected:
  void restart(size_t limit) {
    limit_ = limit;
    ids_.clear();
  }

  std::vector<int32_t> ids_;
  size_t limit_ = 0;
};

}  // namespace text2vec::tokenizer
