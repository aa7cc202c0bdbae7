#include "compact_file.h"

#include <cmath>
#include <cstring>

namespace text2vec::tokenizer {
namespace {

constexpr char kMagic[8] = {'T', '2', 'V', 'T', 'O', 'K', '\r', '\n'};
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 64, kSectionRowBytes = 24, kMaxSections = 16;
constexpr size_t kChecksumOffset = 56;

enum SectionKind : uint32_t { kPlan = 1, kTrie = 2, kScores = 3, kMapUnits = 4, kMapTexts = 5 };

struct Section {
  const uint8_t* bytes = nullptr;
  size_t size = 0;
};

template <typename T>
T load(const uint8_t* p) {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

// FNV-1a over 8-byte little-endian words would do as well; bytes keep the Python side short.
uint64_t fnv1a(const uint8_t* bytes, size_t size, uint64_t hash = 0xCBF29CE484222325u) {
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001B3u;
  return hash;
}

void require(bool holds, const char* what) {
  if (!holds) throw FormatError(what);
}

// Reads the plan, a row of little-endian words and length-prefixed strings.
class Reader {
 public:
  Reader(const uint8_t* bytes, size_t size) : p_(bytes), end_(bytes + size) {}

  uint32_t word() {
    const auto value = load<uint32_t>(take(4));
    return value;
  }
  double real() { return load<double>(take(8)); }
  int32_t id() {
    const uint32_t value = word();
    require(value <= INT32_MAX, "an id in the plan is negative");
    return static_cast<int32_t>(value);
  }
  std::string text() {
    const size_t size = word();
    const size_t padded = (size + 3) & ~size_t{3};
    return {reinterpret_cast<const char*>(take(padded)), size};
  }
  // A count of items of at least four bytes each.
  size_t count() {
    const size_t n = word();
    require(n <= static_cast<size_t>(end_ - p_) / 4, "a count in the plan is too large");
    return n;
  }
  bool at_end() const { return p_ == end_; }

 private:
  const uint8_t* take(size_t size) {
    require(size <= static_cast<size_t>(end_ - p_), "the plan ends too early");
    const uint8_t* at = p_;
    p_ += size;
    return at;
  }

  const uint8_t* p_;
  const uint8_t* end_;
};

void read_sections(const uint8_t* bytes, size_t size, Section (&sections)[6]) {
  require(size >= kHeaderBytes, "it is shorter than its header");
  require(std::memcmp(bytes, kMagic, sizeof kMagic) == 0, "it does not start with the magic bytes");
  require(load<uint32_t>(bytes + 8) == kVersion, "it has another version");
  const size_t n_sections = load<uint32_t>(bytes + 12);
  require(n_sections <= kMaxSections, "its section count is out of range");
  require(load<uint64_t>(bytes + 16) == size, "its size is not the one written in it");
  const size_t table_end = kHeaderBytes + n_sections * kSectionRowBytes;
  require(table_end <= size, "it ends inside its section table");
  for (size_t i = 0; i < n_sections; ++i) {
    const uint8_t* row = bytes + kHeaderBytes + i * kSectionRowBytes;
    const auto kind = load<uint32_t>(row);
    const auto offset = load<uint64_t>(row + 8);
    const auto length = load<uint64_t>(row + 16);
    require(kind >= kPlan && kind <= kMapTexts, "it has a section of an unknown kind");
    require(offset >= table_end && offset % 8 == 0 && offset <= size && length <= size - offset,
            "a section lies outside the file");
    sections[kind] = {bytes + offset, static_cast<size_t>(length)};
  }
  // The plan is small and everything depends on it, so the checksum covers it too.
  uint64_t checksum = fnv1a(bytes, kChecksumOffset);
  checksum = fnv1a(bytes + kHeaderBytes, table_end - kHeaderBytes, checksum);
  checksum = fnv1a(sections[kPlan].bytes, sections[kPlan].size, checksum);
  require(load<uint64_t>(bytes + kChecksumOffset) == checksum, "its header checksum does not match");
}

}  // namespace

CompactFile::CompactFile(const uint8_t* bytes, size_t size) {
  require(reinterpret_cast<uintptr_t>(bytes) % 8 == 0, "its bytes are not aligned to 8");
  Section sections[6];
  read_sections(bytes, size, sections);
  read_plan(sections[kPlan].bytes, sections[kPlan].size);

  require(sections[kTrie].size % 8 == 0 && sections[kTrie].size > 0, "its trie has no whole units");
  trie = Trie(reinterpret_cast<const uint64_t*>(sections[kTrie].bytes), sections[kTrie].size / 8);
  require(sections[kScores].size % 8 == 0, "its scores are not whole");
  scores = reinterpret_cast<const double*>(sections[kScores].bytes);
  n_pieces = sections[kScores].size / 8;
  require(sections[kMapUnits].size % 4 == 0, "its character map is not whole");
  charsmap_units = reinterpret_cast<const uint32_t*>(sections[kMapUnits].bytes);
  n_charsmap_units = sections[kMapUnits].size / 4;
  charsmap_texts = {reinterpret_cast<const char*>(sections[kMapTexts].bytes),
                    sections[kMapTexts].size};
  // Four bytes are a code point: the search looks that far ahead at least.
  require(model != kUnigram || (n_pieces > 0 && max_piece_bytes >= 4 && std::isfinite(unknown_score)),
          "its Unigram settings are out of range");
}

void CompactFile::read_plan(const uint8_t* bytes, size_t size) {
  Reader plan(bytes, size);
  model = static_cast<ModelKind>(plan.word());
  require(model == kUnigram || model == kWordPiece, "its model is unknown");
  unknown_id = plan.id();
  unknown_score = plan.real();
  max_piece_bytes = plan.word();
  max_word_chars = plan.word();
  continuation = plan.text();
  for (size_t n = plan.count(); n > 0; --n) {
    const auto kind = static_cast<StageSpec::Kind>(plan.word());
    const uint32_t option = plan.word();
    stages.push_back({kind, option, plan.text()});
  }
  splitter.kind = static_cast<SplitterSpec::Kind>(plan.word());
  splitter.prepend = static_cast<SplitterSpec::Prepend>(plan.word());
  splitter.replacement = plan.text();
  for (std::vector<int32_t>* ids : {&template_before, &template_after}) {
    for (size_t n = plan.count(); n > 0; --n) ids->push_back(plan.id());
  }
  for (size_t n = plan.count(); n > 0; --n) {
    const int32_t id = plan.id();
    const uint32_t flags = plan.word();
    added_tokens.push_back({id, flags, plan.text()});
  }
  require(plan.at_end(), "its plan has bytes left over");
}

}  // namespace text2vec::tokenizer
