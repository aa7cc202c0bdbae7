#include "charsmap.h"

#include "graphemes.h"

namespace text2vec::tokenizer {
namespace {

constexpr size_t kClusterLimit = 6;  // bytes from which `tokenizers` maps code points singly

// One unit of darts-clone's array: bits 0-7 and 31 the label, 8 "has a value", 9-30 the offset.
uint32_t label(uint32_t unit) { return unit & (1u << 31 | 0xFF); }
bool has_value(uint32_t unit) { return unit >> 8 & 1; }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }
uint32_t value(uint32_t unit) { return unit & ~(1u << 31); }

}  // namespace

Charsmap::Charsmap(const uint32_t* units, size_t n_units, std::string_view texts)
    : units_(units), n_units_(n_units), texts_(texts) {
  std::string ignored;
  for (int c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    plain_[c] = c != '\r' && !replace(&byte, &byte + 1, ignored);
  }
}

bool Charsmap::replace(const char* begin, const char* end, std::string& out) const {
  if (n_units_ == 0) return false;
  uint32_t node = offset(units_[0]);
  for (const char* p = begin; p < end && *p != '\0'; ++p) {
    const auto byte = static_cast<unsigned char>(*p);
    node ^= byte;
    if (node >= n_units_ || label(units_[node]) != byte) return false;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (!has_value(unit)) continue;
    if (node >= n_units_) return false;
    const size_t start = value(units_[node]);
    if (start > texts_.size()) return false;
    out += texts_.substr(start, texts_.find('\0', start) - start);
    return true;
  }
  return false;
}

void Charsmap::apply_cluster(const char* begin, const char* end, std::string& out) const {
  if (static_cast<size_t>(end - begin) < kClusterLimit && replace(begin, end, out)) return;
  while (begin < end) {
    const uint32_t size = decode(begin, end).size;
    if (!replace(begin, begin + size, out)) out.append(begin, size);
    begin += size;
  }
}

void Charsmap::apply(std::string_view text, std::string& out) const {
  const CodePoints& tables = CodePoints::get();
  const char* p = text.data();
  const char* const end = p + text.size();
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  while (p < end) {
    const char* run = p;
    while (p < end && is_ascii(*p) && plain_[static_cast<unsigned char>(*p)] &&
           (p + 1 == end || is_ascii(p[1]))) {
      ++p;
    }
    out.append(run, p - run);
    if (p == end) return;
    const DecodedChar first = decode(p, end);
    const char* next = p + first.size;
    if (next < end && !(breaks_plainly(tables.break_class(first.code)) &&
                        breaks_plainly(tables.break_class(decode(next, end).code)))) {
      next = cluster_end(p, end, tables);
    }
    apply_cluster(p, next, out);
    p = next;
  }
}

}  // namespace text2vec::tokenizer
