#include "bert_normalizer.h"

#include <algorithm>

namespace text2vec::tokenizer {

void append_lower(uint32_t code, std::string& out) {
  append_code(out, CodePoints::get().lower(code));
  if (code == kDottedCapitalI) append_code(out, kCombiningDotAbove);
}

BertNormalizer::BertNormalizer(uint32_t flags)
    : clean_(flags & StageSpec::kClean),
      space_ideographs_(flags & StageSpec::kSpaceIdeographs),
      strip_accents_(flags & StageSpec::kStripAccents),
      lower_(flags & StageSpec::kLower),
      tables_(CodePoints::get()) {
  for (uint32_t c = 0; c < 128; ++c) {
    std::string out;
    add(c, out);
    ascii_[c] = out.empty() ? -1 : static_cast<unsigned char>(out[0]);
  }
}

void BertNormalizer::apply(std::string_view chunk, bool last, std::string& out) {
  const char* p = chunk.data();
  const char* const end = p + chunk.size();
  while (p < end) {
    const auto byte = static_cast<unsigned char>(*p);
    if (byte < 128) {
      // A dropped character does not separate marks from each other.
      if (ascii_[byte] >= 0) {
        flush_marks(out);
        out += static_cast<char>(ascii_[byte]);
      }
      ++p;
      continue;
    }
    const DecodedChar c = decode(p, end);
    add(c.code, out);
    p += c.size;
  }
  if (last) flush_marks(out);
}

void BertNormalizer::add(uint32_t code, std::string& out) {
  const uint8_t flags = tables_.flags(code);
  if (clean_) {
    if (flags & kRemoved) return;
    if (flags & kSpace) code = ' ';
  }
  const bool spaced = space_ideographs_ && (flags & kIdeograph);
  if (spaced) add_decomposed(' ', out);
  if (strip_accents_) {
    tables_.decompose(code, [&](uint32_t part) { add_decomposed(part, out); });
  } else {
    emit(code, out);
  }
  if (spaced) add_decomposed(' ', out);
}

void BertNormalizer::add_decomposed(uint32_t code, std::string& out) {
  const uint8_t flags = tables_.flags(code);
  if (flags & kReorders) {
    marks_.push_back(code);
    return;
  }
  flush_marks(out);
  if (strip_accents_ && (flags & kNonspacing)) return;
  emit(code, out);
}

void BertNormalizer::flush_marks(std::string& out) {
  if (marks_.empty()) return;
  std::stable_sort(marks_.begin(), marks_.end(), [this](uint32_t a, uint32_t b) {
    return tables_.combining_class(a) < tables_.combining_class(b);
  });
  for (const uint32_t mark : marks_) {
    if (!(tables_.flags(mark) & kNonspacing)) emit(mark, out);
  }
  marks_.clear();
}

void BertNormalizer::emit(uint32_t code, std::string& out) const {
  if (lower_) {
    append_lower(code, out);
  } else {
    append_code(out, code);
  }
}

}  // namespace text2vec::tokenizer
