// The ids of words that came up lately: natural texts repeat most of theirs.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

namespace text2vec::tokenizer {

// Direct-mapped: a word replaces whatever else stood in its place. An entry is one cache line;
// 32,768 of them (2 MB, of which only touched pages cost memory) hold most words of ten languages.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 30, kMaxIds = 8;

  struct Entry {
    std::array<char, kMaxBytes> word;
    uint8_t n_bytes;  // 0: free
    uint8_t n_ids;
    std::array<int32_t, kMaxIds> ids;
  };
  static_assert(sizeof(Entry) == 64);

  static bool takes(std::string_view word) { return word.size() - 1 < kMaxBytes; }

  // The entry of the word, or null; requires takes(word).
  const Entry* find(std::string_view word) const {
    const Entry& entry = entries_[place(word)];
    const bool same = entry.n_bytes == word.size() &&
                      std::memcmp(entry.word.data(), word.data(), word.size()) == 0;
    return same ? &entry : nullptr;
  }

  void put(std::string_view word, const int32_t* ids, size_t n_ids) {
    if (n_ids > kMaxIds) return;
    Entry& entry = entries_[place(word)];
    entry.n_bytes = static_cast<uint8_t>(word.size());
    entry.n_ids = static_cast<uint8_t>(n_ids);
    std::memcpy(entry.word.data(), word.data(), word.size());
    std::memcpy(entry.ids.data(), ids, n_ids * sizeof(int32_t));
  }

 private:
  static constexpr size_t kBits = 15;

  static size_t place(std::string_view word) {
    // Eight bytes a step, multiplied by an odd constant of no pattern (2^64 / golden ratio).
    constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;
    uint64_t hash = word.size();
    const char* p = word.data();
    size_t left = word.size();
    for (; left >= 8; left -= 8, p += 8) {
      uint64_t part;
      std::memcpy(&part, p, 8);
      hash = (hash ^ part) * kMultiplier;
      hash ^= hash >> 29;
    }
    uint64_t tail = 0;
    for (; left > 0; --left) tail = tail << 8 | static_cast<unsigned char>(p[left - 1]);
    hash = (hash ^ tail) * kMultiplier;
    hash ^= hash >> 29;
    return (hash * kMultiplier) >> (64 - kBits);
  }

  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  // calloc leaves untouched pages to the system: a worker for one text costs nothing.
  static Entry* allocate() {
    void* memory = std::calloc(size_t{1} << kBits, sizeof(Entry));
    if (memory == nullptr) throw std::bad_alloc();
    return static_cast<Entry*>(memory);
  }

  std::unique_ptr<Entry[], Free> entries_{allocate()};
};

}  // namespace text2vec::tokenizer
