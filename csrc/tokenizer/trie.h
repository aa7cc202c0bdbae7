// The vocabulary as a double array: one 8-byte unit a node, read straight from the mapped file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace text2vec::tokenizer {

class Trie {
 public:
  struct Node {
    uint64_t unit;
    // The id of the entry that ends here, or -1.
    int32_t id() const { return static_cast<int32_t>(unit >> 8 & 0xFFFFFF) - 1; }
  };

  // An array without units is not a trie: n_units must be 1 or more.
  Trie() = default;
  Trie(const uint64_t* units, size_t n_units) : units_(units), n_units_(n_units) {}

  Node root() const { return {n_units_ == 0 ? kNowhere : units_[0]}; }

  // Steps to the child along `byte`; false if there is none. A unit holds the first slot of its
  // children (bits 32-63), its entry's id + 1 (8-31) and its own label (0-7); no two nodes have
  // the same first slot, so the label alone says whether a slot is a child. The walk is checked
  // against the array's length, which also ends leaves: their first slot lies beyond it.
  bool step(Node& node, unsigned char byte) const {
    const uint64_t slot = (node.unit >> 32) + byte;
    const bool inside = slot < n_units_;
    const uint64_t unit = units_[inside ? slot : 0];
    const bool is_child = inside && (unit & 0xFF) == byte && byte != 0;
    node.unit = is_child ? unit : node.unit;
    return is_child;
  }

  // The id of the whole key, or -1.
  int32_t find(const char* begin, const char* end) const {
    Node node = root();
    for (; begin < end; ++begin) {
      if (!step(node, static_cast<unsigned char>(*begin))) return -1;
    }
    return node.id();
  }

 private:
  static constexpr uint64_t kNowhere = ~uint64_t{0} << 32;

  const uint64_t* units_ = nullptr;
  size_t n_units_ = 0;
};

}  // namespace text2vec::tokenizer
