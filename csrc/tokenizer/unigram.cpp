#include "unigram.h"

#include <algorithm>

#include "utf8.h"

namespace text2vec::tokenizer {
namespace {

// A word that grows to this length is searched before its end is known.
constexpr size_t kSettleBytes = 16384;

}  // namespace

void UnigramEncoder::start(size_t limit) {
  restart(limit);
  clear_word();
}

void UnigramEncoder::clear_word() {
  word_.clear();
  searched_ = 0;
  settle_at_ = kSettleBytes;
  whole_ = true;
  in_unknown_ = false;
  unknown_.clear();
}

void UnigramEncoder::append(std::string_view part) {
  while (word_.size() + part.size() >= settle_at_ && !full()) {
    const size_t n = std::min(part.size(), settle_at_ - word_.size());
    word_.append(part.data(), n);
    part.remove_prefix(n);
    if (word_.size() > model_.max_piece_bytes) {
      search(word_.size() - model_.max_piece_bytes);
      commit_settled();
    }
    // Twice what could not be settled: so the work stays linear whatever the text.
    settle_at_ = std::max(kSettleBytes, 2 * word_.size());
  }
  word_ += part;
}

void UnigramEncoder::end_word() {
  if (whole_ && word_.empty()) return;
  const bool cacheable = whole_ && searched_ == 0 && WordCache::takes(word_);
  if (cacheable) {
    if (const WordCache::Entry* entry = cache_.find(word_)) {
      ids_.insert(ids_.end(), entry->ids.begin(), entry->ids.begin() + entry->n_ids);
      clear_word();
      return;
    }
  }
  const size_t n_before = ids_.size();
  search(word_.size());
  emit_path(word_.size());
  flush_unknown();
  if (cacheable) cache_.put(word_, ids_.data() + n_before, ids_.size() - n_before);
  clear_word();
}

void UnigramEncoder::search(size_t until) {
  if (searched_ == 0 && whole_) {
    nodes_.assign(1, Node{0.0, 0, kUnreached});
  }
  nodes_.resize(word_.size() + 1, Node{0.0, 0, kUnreached});
  while (searched_ < until) {
    size_t n_origins = 0;
    for (; searched_ < until && n_origins < kOrigins; ++n_origins) {
      const size_t size = sequence_size(static_cast<unsigned char>(word_[searched_]));
      const size_t char_end = std::min(searched_ + size, word_.size());
      origins_[n_origins] = {model_.trie.root(), static_cast<uint32_t>(searched_),
                             static_cast<uint32_t>(char_end), -1};
      searched_ = char_end;
    }
    find_matches(n_origins);
    for (size_t i = 0; i < n_origins; ++i) follow(origins_[i]);
  }
}

void UnigramEncoder::find_matches(size_t n_origins) {
  std::array<uint8_t, kOrigins> active;
  for (size_t i = 0; i < n_origins; ++i) active[i] = static_cast<uint8_t>(i);
  matches_.clear();
  for (size_t depth = 0, n_active = n_origins; n_active > 0; ++depth) {
    size_t n_left = 0;
    for (size_t i = 0; i < n_active; ++i) {
      Origin& origin = origins_[active[i]];
      const size_t at = origin.start + depth;
      if (at >= word_.size()) continue;
      const bool goes_on = model_.trie.step(origin.node, static_cast<unsigned char>(word_[at]));
      active[n_left] = active[i];
      n_left += goes_on;
      const int32_t id = origin.node.id();
      if (!goes_on || id < 0 || static_cast<size_t>(id) >= model_.n_pieces) continue;
      matches_.push_back({model_.scores[id], static_cast<uint32_t>(at + 1), id, origin.first_match});
      origin.first_match = static_cast<int32_t>(matches_.size() - 1);
    }
    n_active = n_left;
  }
}

void UnigramEncoder::follow(const Origin& origin) {
  const double before = nodes_[origin.start].score;
  bool covered = false;
  for (int32_t i = origin.first_match; i >= 0; i = matches_[i].next_match) {
    const Match& match = matches_[i];
    reach(match.end, match.score + before, origin.start, match.id);
    covered = covered || match.end == origin.char_end;
  }
  if (!covered) {
    reach(origin.char_end, model_.unknown_score + before, origin.start, model_.unknown_id);
  }
}

void UnigramEncoder::reach(size_t end, double score, size_t start, int32_t id) {
  Node& node = nodes_[end];
  // The first of equals stays, as in `tokenizers`.
  if (node.id == kUnreached || score > node.score) {
    node = {score, static_cast<uint32_t>(start), id};
  }
}

// Every path to come leads through one of the nodes reached at or after searched_. Where all their
// paths have already met, the pieces before that point are final.
void UnigramEncoder::commit_settled() {
  std::vector<uint32_t> heads;
  for (size_t i = searched_; i < nodes_.size(); ++i) {
    if (nodes_[i].id != kUnreached) heads.push_back(static_cast<uint32_t>(i));
  }
  std::make_heap(heads.begin(), heads.end());
  while (heads.size() > 1) {
    std::pop_heap(heads.begin(), heads.end());
    const uint32_t furthest = heads.back();
    heads.pop_back();
    if (heads.front() == furthest) continue;
    heads.push_back(nodes_[furthest].start);
    std::push_heap(heads.begin(), heads.end());
  }
  if (heads.empty() || heads[0] == 0) return;
  const uint32_t settled = heads[0];
  emit_path(settled);
  word_.erase(0, settled);
  nodes_.erase(nodes_.begin(), nodes_.begin() + settled);
  for (Node& node : nodes_) node.start = node.start > settled ? node.start - settled : 0;
  searched_ -= settled;
  whole_ = false;
}

void UnigramEncoder::emit_path(size_t end) {
  path_.clear();
  for (size_t i = end; i > 0; i = nodes_[i].start) path_.push_back(static_cast<uint32_t>(i));
  size_t begin = 0;
  for (size_t i = path_.size(); i-- > 0;) {
    emit(begin, path_[i], nodes_[path_[i]].id);
    begin = path_[i];
  }
}

void UnigramEncoder::emit(size_t begin, size_t end, int32_t id) {
  if (id == model_.unknown_id) {
    in_unknown_ = true;
    if (unknown_.size() <= model_.max_piece_bytes) unknown_.append(word_, begin, end - begin);
    return;
  }
  flush_unknown();
  ids_.push_back(id);
}

// Neighbouring unknown pieces are one token; should their joint text be a piece, it is that one.
void UnigramEncoder::flush_unknown() {
  if (!in_unknown_) return;
  const int32_t id = model_.trie.find(unknown_.data(), unknown_.data() + unknown_.size());
  ids_.push_back(id < 0 ? model_.unknown_id : id);
  in_unknown_ = false;
  unknown_.clear();
}

}  // namespace text2vec::tokenizer
