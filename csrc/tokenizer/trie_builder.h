// Builds the double array of a compact tokenizer file; trie.h reads it.
//
// Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure".
// Instead of its CHECK array no two nodes share a first slot, so that a slot's label alone tells
// whose child it is (as in darts-clone).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace text2vec::tokenizer {

struct TrieEntry {
  std::string_view key;  // not empty, no zero byte
  uint32_t id;           // 0 to kLargestTrieId
};

constexpr uint32_t kLargestTrieId = (1u << 24) - 2;  // an id plus one has 24 bits

// The units of the trie that maps each key to its id, at least one; no two keys are the same.
std::vector<uint64_t> build_double_array(std::vector<TrieEntry> entries);

}  // namespace text2vec::tokenizer
