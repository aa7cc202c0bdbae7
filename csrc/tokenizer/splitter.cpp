#include "splitter.h"

#include <stdexcept>

#include "code_points.h"

namespace text2vec::tokenizer {
namespace {

// Writes each space as the replacement; a word starts at each replacement.
class MetaspaceSplitter final : public Splitter {
 public:
  explicit MetaspaceSplitter(const SplitterSpec& spec) : spec_(spec) {}

  void start(bool at_origin) override {
    prepend_ = spec_.prepend == SplitterSpec::kAlways ||
               (spec_.prepend == SplitterSpec::kFirst && at_origin);
  }

  void split(std::string_view text, WordEncoder& words) override {
    const char* p = text.data();
    const char* const end = p + text.size();
    if (p == end) return;
    if (prepend_ && *p != ' ' && !starts_with_replacement(p, end)) words.append(spec_.replacement);
    prepend_ = false;
    const char mark = spec_.replacement[0];
    while (p < end && !words.full()) {
      const char* word = p;
      while (p < end && *p != ' ' && (*p != mark || !starts_with_replacement(p, end))) ++p;
      if (p > word) words.append({word, static_cast<size_t>(p - word)});
      if (p == end) return;
      words.end_word();
      words.append(spec_.replacement);
      p += *p == ' ' ? 1 : spec_.replacement.size();
    }
  }

 private:
  bool starts_with_replacement(const char* p, const char* end) const {
    return std::string_view(p, end - p).substr(0, spec_.replacement.size()) == spec_.replacement;
  }

  const SplitterSpec spec_;
  bool prepend_ = false;
};

// Calls `visit(code, begin, end)` for each code point until the model is full.
template <typename Visit>
void for_each_char(std::string_view text, const WordEncoder& words, const Visit& visit) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end && !words.full()) {
    const DecodedChar c = decode(p, end);
    visit(c.code, p, p + c.size);
    p += c.size;
  }
}

// Drops white space, then treats each word as a text for MetaspaceSplitter.
class SpaceThenMetaspaceSplitter final : public Splitter {
 public:
  explicit SpaceThenMetaspaceSplitter(const SplitterSpec& spec) : inner_(spec) {}

  void start(bool) override { in_word_ = false; }

  void split(std::string_view text, WordEncoder& words) override {
    const CodePoints& tables = CodePoints::get();
    const char* word = text.data();
    const auto close = [&](const char* end) {
      if (end == word) return;
      if (!in_word_) inner_.start(false);
      in_word_ = true;
      inner_.split({word, static_cast<size_t>(end - word)}, words);
    };
    for_each_char(text, words, [&](uint32_t code, const char* begin, const char* end) {
      if (!(tables.flags(code) & kSpace)) return;
      close(begin);
      words.end_word();
      in_word_ = false;
      word = end;
    });
    if (!words.full()) close(text.data() + text.size());
  }

 private:
  MetaspaceSplitter inner_;
  bool in_word_ = false;
};

// Drops white space and makes each punctuation character a word of its own.
class BertSplitter final : public Splitter {
 public:
  void start(bool) override {}

  void split(std::string_view text, WordEncoder& words) override {
    const CodePoints& tables = CodePoints::get();
    const char* word = text.data();
    for_each_char(text, words, [&](uint32_t code, const char* begin, const char* end) {
      const uint8_t flags = tables.flags(code);
      if (!(flags & (kSpace | kPunctuation))) return;
      if (begin > word) words.append({word, static_cast<size_t>(begin - word)});
      words.end_word();
      if (!(flags & kSpace)) {
        words.append({begin, static_cast<size_t>(end - begin)});
        words.end_word();
      }
      word = end;
    });
    const char* const end = text.data() + text.size();
    if (!words.full() && end > word) words.append({word, static_cast<size_t>(end - word)});
  }
};

}  // namespace

std::unique_ptr<Splitter> make_splitter(const SplitterSpec& spec) {
  switch (spec.kind) {
    case SplitterSpec::kMetaspace:
    case SplitterSpec::kSpaceThenMetaspace:
      if (spec.replacement.empty()) break;
      if (spec.kind == SplitterSpec::kMetaspace) return std::make_unique<MetaspaceSplitter>(spec);
      return std::make_unique<SpaceThenMetaspaceSplitter>(spec);
    case SplitterSpec::kBert: return std::make_unique<BertSplitter>();
  }
  throw std::invalid_argument("unknown pre-tokenizer in the compact tokenizer file");
}

}  // namespace text2vec::tokenizer
