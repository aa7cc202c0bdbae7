// Reading and writing UTF-8. Input comes from Python strings and is valid; the texts of a damaged
// file may not be, so nothing here reads past `end` or returns a code point out of range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace text2vec::tokenizer {

constexpr uint32_t kCodePoints = 0x110000;
constexpr uint32_t kReplacementCharacter = 0xFFFD;

struct DecodedChar {
  uint32_t code;
  uint32_t size;  // bytes; never 0, never beyond the end
};

// Bytes of the sequence that `lead` opens; a stray continuation byte counts as one.
inline uint32_t sequence_size(unsigned char lead) {
  return lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// The code point at `p`; requires p < end.
inline DecodedChar decode(const char* p, const char* end) {
  const auto* u = reinterpret_cast<const unsigned char*>(p);
  if (u[0] < 0x80) return {u[0], 1};
  const uint32_t size = sequence_size(u[0]);
  if (size > static_cast<size_t>(end - p)) return {kReplacementCharacter, static_cast<uint32_t>(end - p)};
  if (size == 2) return {(u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu), 2};
  if (size == 3) return {(u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu), 3};
  if (size == 1) return {kReplacementCharacter, 1};
  const uint32_t code =
      (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
  return {code < kCodePoints ? code : kReplacementCharacter, 4};
}

// The code point that ends at `end`; requires begin < end.
inline DecodedChar decode_last(const char* begin, const char* end) {
  const char* p = end - 1;
  while (p > begin && end - p < 4 && (static_cast<unsigned char>(*p) & 0xC0) == 0x80) --p;
  return {decode(p, end).code, static_cast<uint32_t>(end - p)};
}

inline void append_code(std::string& out, uint32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

}  // namespace text2vec::tokenizer
