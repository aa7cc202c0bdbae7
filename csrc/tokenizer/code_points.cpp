#include "code_points.h"

#include <algorithm>
#include <iterator>

namespace text2vec::tokenizer {
namespace {

#include "unicode_tables.inc"

template <size_t N>
const CodePointRow* last_starting_at_or_before(const CodePointRow (&rows)[N], uint32_t code) {
  const auto* next = std::upper_bound(
      std::begin(rows), std::end(rows), code,
      [](uint32_t wanted, const CodePointRow& row) { return wanted < row.first; });
  return next == std::begin(rows) ? nullptr : next - 1;
}

}  // namespace

PagedBytes::PagedBytes(const CodePointRow* rows, size_t n_rows) {
  pages_.reserve(512);
  uniform_page(0);
  for (const CodePointRow* row = rows; row != rows + n_rows; ++row) {
    const auto value = static_cast<uint8_t>(row->third);
    for (uint32_t code = row->first; code <= row->second;) {
      const uint32_t page = code >> 8;
      const uint32_t last = std::min(row->second, page << 8 | 0xFF);
      if ((code & 0xFF) == 0 && (last & 0xFF) == 0xFF) {
        page_of_[page] = uniform_page(value);
      } else {
        auto& bytes = pages_[own_page(page)];
        std::fill(bytes.begin() + (code & 0xFF), bytes.begin() + (last & 0xFF) + 1, value);
      }
      code = last + 1;
    }
  }
}

uint16_t PagedBytes::uniform_page(uint8_t value) {
  for (size_t i = 0; i < pages_.size(); ++i) {
    if (shared_[i] && pages_[i][0] == value) return static_cast<uint16_t>(i);
  }
  pages_.emplace_back().fill(value);
  shared_.push_back(true);
  return static_cast<uint16_t>(pages_.size() - 1);
}

uint16_t PagedBytes::own_page(uint32_t page) {
  if (shared_[page_of_[page]]) {
    const auto copy = pages_[page_of_[page]];
    pages_.push_back(copy);
    shared_.push_back(false);
    page_of_[page] = static_cast<uint16_t>(pages_.size() - 1);
  }
  return page_of_[page];
}

CodePoints::CodePoints()
    : flags_(kFlagRows, std::size(kFlagRows)),
      break_classes_(kBreakClassRows, std::size(kBreakClassRows)),
      combining_(kCombiningRows, std::size(kCombiningRows)),
      word_(kWordRows, std::size(kWordRows)) {}

const CodePoints& CodePoints::get() {
  static const CodePoints tables;
  return tables;
}

uint32_t CodePoints::lower(uint32_t code) const {
  if (!(flags(code) & kHasLower)) return code;
  const CodePointRow* row = last_starting_at_or_before(kLowerRows, code);
  return row != nullptr && code <= row->second ? row->third + (code - row->first) : code;
}

const CodePointRow* CodePoints::find_decomposition(uint32_t code) const {
  const CodePointRow* row = last_starting_at_or_before(kDecompositionRows, code);
  return row != nullptr && row->first == code ? row : nullptr;
}

}  // namespace text2vec::tokenizer
