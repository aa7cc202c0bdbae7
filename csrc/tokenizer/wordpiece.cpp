#include "wordpiece.h"

namespace text2vec::tokenizer {

WordPieceEncoder::WordPieceEncoder(const WordPieceModel& model)
    : model_(model), continuing_(model.trie.root()) {
  for (const char c : model.continuation) {
    continues_ = continues_ && model.trie.step(continuing_, static_cast<unsigned char>(c));
  }
}

void WordPieceEncoder::start(size_t limit) {
  restart(limit);
  word_.clear();
  n_chars_ = 0;
}

void WordPieceEncoder::append(std::string_view part) {
  for (const char c : part) n_chars_ += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  // A word that is unknown already need not be kept.
  if (n_chars_ <= model_.max_word_chars) word_ += part;
}

void WordPieceEncoder::end_word() {
  if (n_chars_ == 0) return;
  const size_t n_before = ids_.size();
  if (n_chars_ > model_.max_word_chars || !split(word_.data(), word_.data() + word_.size())) {
    ids_.resize(n_before);
    ids_.push_back(model_.unknown_id);
  }
  word_.clear();
  n_chars_ = 0;
}

bool WordPieceEncoder::split(const char* begin, const char* end) {
  Trie::Node node = model_.trie.root();
  while (begin < end) {
    int32_t longest = -1;
    const char* longest_end = begin;
    for (const char* p = begin; p < end && model_.trie.step(node, static_cast<unsigned char>(*p));) {
      ++p;
      if (node.id() >= 0) {
        longest = node.id();
        longest_end = p;
      }
    }
    if (longest < 0) return false;
    ids_.push_back(longest);
    begin = longest_end;
    if (begin < end && !continues_) return false;
    node = continuing_;
  }
  return true;
}

}  // namespace text2vec::tokenizer
