#include "trie_builder.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace text2vec::tokenizer {
namespace {

// Slots 1 to this are left to nodes with several children: an only child's first slot, which is its
// slot less its label, is then above 0, where the root lies.
constexpr uint32_t kLargestLabel = 255;
constexpr uint32_t kOnlyChildrenFrom = kLargestLabel + 2;

// A trie by levels: the children of a node are neighbours, in the order of their labels.
struct Nodes {
  std::vector<uint8_t> labels;     // the byte that leads to the node
  std::vector<uint32_t> values;    // the id of the key that ends there plus one, or 0
  std::vector<uint32_t> children;  // where its children start among the nodes
  std::vector<uint32_t> counts;    // how many they are

  size_t size() const { return labels.size(); }
};

Nodes lay_levels(const std::vector<TrieEntry>& sorted) {
  struct Keys {  // that begin with the node's prefix, and how long that is
    size_t first, last, length;
  };
  std::vector<Keys> keys{{0, sorted.size(), 0}};
  Nodes nodes;
  nodes.labels.push_back(0);
  for (size_t node = 0; node < keys.size(); node++) {
    auto [first, last, length] = keys[node];
    const bool ends = first < last && sorted[first].key.size() == length;
    nodes.values.push_back(ends ? sorted[first++].id + 1 : 0);
    nodes.children.push_back(static_cast<uint32_t>(keys.size()));
    while (first < last) {
      const char label = sorted[first].key[length];
      const size_t start = first;
      while (first < last && sorted[first].key[length] == label) first++;
      keys.push_back({start, first, length + 1});
      nodes.labels.push_back(static_cast<uint8_t>(label));
    }
    nodes.counts.push_back(static_cast<uint32_t>(keys.size() - nodes.children.back()));
  }
  return nodes;
}

// Bits of a stretch of slots.
class Bits {
 public:
  static constexpr uint32_t kWord = 64, kWords = 128, kSize = kWord * kWords;

  Bits() { words_.fill(~uint64_t{0}); }
  void clear(uint32_t i) { words_[i / kWord] &= ~(uint64_t{1} << i % kWord); }
  // Bits `from` to `from` + 63; zeros behind the end.
  uint64_t read(uint32_t from) const {
    const uint32_t word = from / kWord, shift = from % kWord;
    const uint64_t low = word < kWords ? words_[word] >> shift : 0;
    const uint64_t high = shift && word + 1 < kWords ? words_[word + 1] << (kWord - shift) : 0;
    return low | high;
  }
  // Drops the first `words` words and takes as many ones in behind.
  void advance(uint32_t words) {
    std::copy(words_.begin() + words, words_.end(), words_.begin());
    std::fill(words_.end() - words, words_.end(), ~uint64_t{0});
  }

 private:
  std::array<uint64_t, kWords> words_;
};

uint32_t lowest_bit(uint64_t bits) {
  uint32_t i = 0;
  while (!(bits >> i & 1)) i++;
  return i;
}

// Places the children of nodes that have several, in a window that moves on once it is full for
// one of them; what stays empty behind it is for only children.
class FamilyPlacer {
 public:
  // First slot for children with these labels, which count from 1.
  uint32_t place(const uint8_t* labels, uint32_t count) {
    for (;;) {
      for (uint32_t from = 0; from < Bits::kSize; from += Bits::kWord) {
        uint64_t fits = unused_.read(from);
        for (uint32_t i = 0; i < count && fits; i++) fits &= free_.read(from + labels[i]);
        if (!fits) continue;
        const uint32_t at = from + lowest_bit(fits);
        unused_.clear(at);
        for (uint32_t i = 0; i < count; i++) free_.clear(at + labels[i]);
        return origin_ + at;
      }
      constexpr uint32_t kStep = Bits::kWords / 4;
      origin_ += kStep * Bits::kWord;
      free_.advance(kStep);
      unused_.advance(kStep);
    }
  }

 private:
  uint32_t origin_ = 1;
  Bits free_, unused_;  // slots, and first slots
};

struct Places {
  std::vector<uint32_t> slots;   // of each node
  std::vector<uint32_t> firsts;  // of each node's children; 0 for a leaf
};

void place_families(const Nodes& nodes, Places& places) {
  FamilyPlacer placer;
  for (size_t node = 0; node < nodes.size(); node++) {
    const uint32_t count = nodes.counts[node], child = nodes.children[node];
    if (count < 2) continue;
    const uint32_t first = placer.place(&nodes.labels[child], count);
    places.firsts[node] = first;
    for (uint32_t i = 0; i < count; i++) places.slots[child + i] = first + nodes.labels[child + i];
  }
}

// Free slots are dealt out in ascending order to children of descending labels, so that first slots
// ascend; a child whose first slot is another's takes a slot behind all others.
void place_only_children(const Nodes& nodes, Places& places) {
  std::vector<uint32_t> parents;
  for (size_t node = 0; node < nodes.size(); node++)
    if (nodes.counts[node] == 1) parents.push_back(static_cast<uint32_t>(node));
  const auto label = [&](uint32_t parent) { return nodes.labels[nodes.children[parent]]; };
  std::stable_sort(parents.begin(), parents.end(),
                   [&](uint32_t a, uint32_t b) { return label(a) > label(b); });

  const auto highest = [](const std::vector<uint32_t>& v) {
    return v.empty() ? 0 : *std::max_element(v.begin(), v.end());
  };
  std::vector<bool> taken(highest(places.slots) + 1), used(highest(places.firsts) + 1);
  for (const uint32_t slot : places.slots) taken[slot] = true;
  for (const uint32_t first : places.firsts) used[first] = true;
  const auto is_set = [](const std::vector<bool>& marks, uint32_t i) {
    return i < marks.size() && marks[i];
  };

  uint32_t slot = kOnlyChildrenFrom;
  while (!parents.empty()) {
    std::vector<uint32_t> again;
    for (const uint32_t parent : parents) {
      while (is_set(taken, slot)) slot++;
      const uint32_t first = slot - label(parent);
      if (is_set(used, first)) {
        again.push_back(parent);
      } else {
        if (first >= used.size()) used.resize(first + size_t{1});
        used[first] = true;
        places.firsts[parent] = first;
        places.slots[nodes.children[parent]] = slot;
      }
      slot++;
    }
    parents = std::move(again);
    // Far enough that the first slots to come lie above all that are in use.
    slot = std::max(slot, static_cast<uint32_t>(std::max(taken.size(), used.size()))) +
           kLargestLabel + 1;
  }
}

}  // namespace

std::vector<uint64_t> build_double_array(std::vector<TrieEntry> entries) {
  std::sort(entries.begin(), entries.end(),
            [](const TrieEntry& a, const TrieEntry& b) { return a.key < b.key; });
  const Nodes nodes = lay_levels(entries);
  Places places{std::vector<uint32_t>(nodes.size()), std::vector<uint32_t>(nodes.size())};
  place_families(nodes, places);
  place_only_children(nodes, places);
  const uint32_t n_units = *std::max_element(places.slots.begin(), places.slots.end()) + 1;
  std::vector<uint64_t> units(n_units);
  for (size_t node = 0; node < nodes.size(); node++) {
    // A leaf's children would start beyond the array, so that every step from it is refused.
    const uint64_t first = nodes.counts[node] ? places.firsts[node] : n_units;
    units[places.slots[node]] =
        first << 32 | uint64_t{nodes.values[node]} << 8 | nodes.labels[node];
  }
  return units;
}

}  // namespace text2vec::tokenizer
