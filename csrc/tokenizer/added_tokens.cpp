#include "added_tokens.h"

#include <algorithm>
#include <cstring>

#include "code_points.h"

namespace text2vec::tokenizer {
namespace {

unsigned char first_byte(const AddedToken& token) {
  return static_cast<unsigned char>(token.content[0]);
}

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  return CodePoints::get().is_word(decode_last(text.data(), text.data() + text.size()).code);
}

bool starts_with_word(std::string_view text) {
  if (text.empty()) return false;
  return CodePoints::get().is_word(decode(text.data(), text.data() + text.size()).code);
}

// Length of the text without the white space at its end.
size_t trimmed_size(std::string_view text) {
  const char* const begin = text.data();
  const char* end = begin + text.size();
  while (end > begin) {
    const DecodedChar c = decode_last(begin, end);
    if (!(CodePoints::get().flags(c.code) & kSpace)) break;
    end -= c.size;
  }
  return end - begin;
}

size_t leading_space(std::string_view text) {
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const DecodedChar c = decode(p, end);
    if (!(CodePoints::get().flags(c.code) & kSpace)) break;
    p += c.size;
  }
  return p - text.data();
}

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  tokens_.erase(std::remove_if(tokens_.begin(), tokens_.end(),
                               [](const AddedToken& token) { return token.content.empty(); }),
                tokens_.end());
  std::sort(tokens_.begin(), tokens_.end(), [](const AddedToken& a, const AddedToken& b) {
    return first_byte(a) < first_byte(b);
  });
  first_of_byte_.assign(257, 0);
  for (const AddedToken& token : tokens_) ++first_of_byte_[first_byte(token) + 1];
  for (size_t i = 1; i < 257; ++i) first_of_byte_[i] += first_of_byte_[i - 1];
  if (!tokens_.empty() && first_byte(tokens_.front()) == first_byte(tokens_.back())) {
    only_first_byte_ = first_byte(tokens_.front());
  }
}

const AddedToken* AddedTokens::longest_at(std::string_view text, size_t at) const {
  const auto byte = static_cast<unsigned char>(text[at]);
  const AddedToken* longest = nullptr;
  for (uint32_t i = first_of_byte_[byte]; i < first_of_byte_[byte + 1]; ++i) {
    const AddedToken& token = tokens_[i];
    if (longest != nullptr && token.content.size() <= longest->content.size()) continue;
    if (text.compare(at, token.content.size(), token.content) == 0) longest = &token;
  }
  return longest;
}

bool AddedTokens::Walk::next(size_t until, Match& match) {
  if (tokens_.empty()) return false;
  while (scanned_ < until) {
    if (tokens_.only_first_byte_ >= 0) {
      const void* found =
          std::memchr(text_.data() + scanned_, tokens_.only_first_byte_, until - scanned_);
      if (found == nullptr) {
        scanned_ = until;
        return false;
      }
      scanned_ = static_cast<const char*>(found) - text_.data();
    }
    const AddedToken* token = tokens_.longest_at(text_, scanned_);
    if (token == nullptr) {
      ++scanned_;
      continue;
    }
    const size_t start = scanned_;
    const size_t end = start + token->content.size();
    scanned_ = end;
    if ((token->flags & AddedToken::kSingleWord) &&
        (ends_with_word(text_.substr(0, start)) || starts_with_word(text_.substr(end)))) {
      continue;
    }
    match = {start, end, token->id};
    if (token->flags & AddedToken::kStripLeft) {
      match.start = std::max(trimmed_size(text_.substr(0, start)), covered_);
    }
    if (token->flags & AddedToken::kStripRight) match.end += leading_space(text_.substr(end));
    match.start = std::max(match.start, covered_);
    covered_ = std::max(covered_, match.end);
    return true;
  }
  return false;
}

}  // namespace text2vec::tokenizer
