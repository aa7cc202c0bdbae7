// BertNormalizer of `tokenizers`: clean, space ideographs, strip accents, lower the case.
#pragma once

#include "stages.h"

namespace text2vec::tokenizer {

void append_lower(uint32_t code, std::string& out);

class BertNormalizer final : public Stage {
 public:
  // `flags` are StageSpec::BertFlags.
  explicit BertNormalizer(uint32_t flags);
  void start() override { marks_.clear(); }
  void apply(std::string_view chunk, bool last, std::string& out) override;

 private:
  void add(uint32_t code, std::string& out);
  void add_decomposed(uint32_t code, std::string& out);
  void flush_marks(std::string& out);
  void emit(uint32_t code, std::string& out) const;

  const bool clean_, space_ideographs_, strip_accents_, lower_;
  const CodePoints& tables_;
  std::vector<uint32_t> marks_;  // marks that wait to be put into canonical order
  int ascii_[128];               // what an ASCII character becomes; -1: nothing
};

}  // namespace text2vec::tokenizer
