// What the tokenizer must know about single code points: see make_unicode_tables.py.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "utf8.h"

namespace text2vec::tokenizer {

// Bits of CodePoints::flags; make_unicode_tables.py writes the same values.
constexpr uint8_t kSpace = 1 << 0;        // Unicode White_Space
constexpr uint8_t kRemoved = 1 << 1;      // BERT's clean_text drops it
constexpr uint8_t kPunctuation = 1 << 2;  // BERT makes it a word of its own
constexpr uint8_t kIdeograph = 1 << 3;    // BERT puts spaces around it
constexpr uint8_t kNonspacing = 1 << 4;   // BERT's strip_accents drops it
constexpr uint8_t kHasLower = 1 << 5;
constexpr uint8_t kDecomposes = 1 << 6;  // has a canonical decomposition, Hangul apart
constexpr uint8_t kReorders = 1 << 7;    // has a canonical combining class other than 0

// The one code point whose lower case is two: "i" and a combining dot above.
constexpr uint32_t kDottedCapitalI = 0x130;
constexpr uint32_t kCombiningDotAbove = 0x307;

struct CodePointRow {
  uint32_t first, second, third;
};

// One byte for every code point, in pages of 256; pages of one value are shared.
class PagedBytes {
 public:
  PagedBytes(const CodePointRow* rows, size_t n_rows);

  uint8_t operator[](uint32_t code) const {
    return code < kCodePoints ? pages_[page_of_[code >> 8]][code & 0xFF] : 0;
  }

 private:
  uint16_t uniform_page(uint8_t value);
  uint16_t own_page(uint32_t page);

  std::array<uint16_t, kCodePoints / 256> page_of_{};
  std::vector<std::array<uint8_t, 256>> pages_;
  std::vector<bool> shared_;
};

class CodePoints {
 public:
  // The tables, unfolded at the first call (about 0.1 ms); safe from any thread.
  static const CodePoints& get();

  uint8_t flags(uint32_t code) const { return flags_[code]; }
  uint8_t break_class(uint32_t code) const { return break_classes_[code]; }
  uint8_t combining_class(uint32_t code) const { return combining_[code]; }
  bool is_word(uint32_t code) const { return word_[code] != 0; }

  // Lower case as one code point; kDottedCapitalI has a second one that the caller adds.
  uint32_t lower(uint32_t code) const;

  // Calls `emit` for each code point of the full canonical decomposition, in written order.
  template <typename Emit>
  void decompose(uint32_t code, const Emit& emit) const;

 private:
  CodePoints();
  const CodePointRow* find_decomposition(uint32_t code) const;

  PagedBytes flags_, break_classes_, combining_, word_;
};

template <typename Emit>
void CodePoints::decompose(uint32_t code, const Emit& emit) const {
  // Hangul syllables decompose by arithmetic (Unicode 3.12).
  constexpr uint32_t kSyllables = 0xAC00, kCount = 11172, kL = 0x1100, kV = 0x1161, kT = 0x11A7;
  constexpr uint32_t kVowels = 21, kTails = 28;
  if (code - kSyllables < kCount) {
    const uint32_t index = code - kSyllables;
    emit(kL + index / (kVowels * kTails));
    emit(kV + index % (kVowels * kTails) / kTails);
    if (index % kTails != 0) emit(kT + index % kTails);
    return;
  }
  const CodePointRow* row = (flags(code) & kDecomposes) ? find_decomposition(code) : nullptr;
  if (row == nullptr) {
    emit(code);
    return;
  }
  decompose(row->second, emit);
  if (row->third != 0) emit(row->third);
}

}  // namespace text2vec::tokenizer
