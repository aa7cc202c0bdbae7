#include "stages.h"

#include <cstring>
#include <stdexcept>

#include "bert_normalizer.h"

namespace text2vec::tokenizer {
namespace {

class CharsmapStage final : public Stage {
 public:
  explicit CharsmapStage(const Charsmap& charsmap) : charsmap_(charsmap) {}
  void apply(std::string_view chunk, bool, std::string& out) override { charsmap_.apply(chunk, out); }

 private:
  const Charsmap& charsmap_;
};

// Drops white space at the ends of a text; trailing space is held back until something follows.
class StripStage final : public Stage {
 public:
  explicit StripStage(uint32_t flags)
      : left_(flags & StageSpec::kLeft), right_(flags & StageSpec::kRight) {}

  void start() override {
    inside_ = !left_;
    held_.clear();
  }

  void apply(std::string_view chunk, bool, std::string& out) override {
    const CodePoints& tables = CodePoints::get();
    const char* begin = chunk.data();
    const char* const end = begin + chunk.size();
    while (!inside_ && begin < end) {
      const DecodedChar c = decode(begin, end);
      inside_ = !(tables.flags(c.code) & kSpace);
      if (!inside_) begin += c.size;
    }
    const char* tail = end;
    while (right_ && tail > begin) {
      const DecodedChar c = decode_last(begin, tail);
      if (!(tables.flags(c.code) & kSpace)) break;
      tail -= c.size;
    }
    if (tail > begin) {
      out += held_;
      held_.clear();
      out.append(begin, tail - begin);
    }
    held_.append(tail, end - tail);
  }

 private:
  const bool left_, right_;
  bool inside_ = false;
  std::string held_;
};

// Replaces each run of at least `shortest` spaces (U+0020).
class FoldSpacesStage final : public Stage {
 public:
  FoldSpacesStage(uint32_t shortest, std::string content)
      : shortest_(shortest), content_(std::move(content)) {}

  void start() override { run_ = 0; }

  void apply(std::string_view chunk, bool last, std::string& out) override {
    const char* p = chunk.data();
    const char* const end = p + chunk.size();
    while (p < end) {
      while (p < end && *p == ' ') {
        ++run_;
        ++p;
      }
      if (p == end) break;
      close_run(out);
      const auto* space = static_cast<const char*>(std::memchr(p, ' ', end - p));
      const char* word_end = space == nullptr ? end : space;
      out.append(p, word_end - p);
      p = word_end;
    }
    if (last) close_run(out);
  }

 private:
  void close_run(std::string& out) {
    if (run_ >= shortest_) {
      out += content_;
    } else {
      out.append(run_, ' ');
    }
    run_ = 0;
  }

  const size_t shortest_;
  const std::string content_;
  size_t run_ = 0;
};

class LowercaseStage final : public Stage {
 public:
  void apply(std::string_view chunk, bool, std::string& out) override {
    const char* p = chunk.data();
    const char* const end = p + chunk.size();
    while (p < end) {
      const DecodedChar c = decode(p, end);
      append_lower(c.code, out);
      p += c.size;
    }
  }
};

}  // namespace

std::unique_ptr<Stage> make_stage(const StageSpec& spec, const Charsmap& charsmap) {
  switch (spec.kind) {
    case StageSpec::kCharsmap: return std::make_unique<CharsmapStage>(charsmap);
    case StageSpec::kStrip: return std::make_unique<StripStage>(spec.option);
    case StageSpec::kFoldSpaces:
      if (spec.option == 0) break;
      return std::make_unique<FoldSpacesStage>(spec.option, spec.content);
    case StageSpec::kLowercase: return std::make_unique<LowercaseStage>();
    case StageSpec::kBert: return std::make_unique<BertNormalizer>(spec.option);
  }
  throw std::invalid_argument("unknown normaliser step in the compact tokenizer file");
}

Normalizer::Normalizer(const std::vector<StageSpec>& specs, const Charsmap& charsmap) {
  for (const StageSpec& spec : specs) stages_.push_back(make_stage(spec, charsmap));
}

void Normalizer::start() {
  for (auto& stage : stages_) stage->start();
}

std::string_view Normalizer::apply(std::string_view chunk, bool last) {
  for (size_t i = 0; i < stages_.size(); ++i) {
    std::string& out = buffers_[i & 1];
    out.clear();
    stages_[i]->apply(chunk, last, out);
    chunk = out;
  }
  return chunk;
}

}  // namespace text2vec::tokenizer
