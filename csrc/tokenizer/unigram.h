// Unigram: the best-scoring path of pieces through a word (Kudo 2018), by Viterbi.
#pragma once

#include <array>
#include <string>

#include "models.h"
#include "trie.h"
#include "word_cache.h"

namespace text2vec::tokenizer {

struct UnigramModel {
  Trie trie;
  const double* scores;
  size_t n_pieces;
  int32_t unknown_id;
  double unknown_score;    // of one code point that no piece covers
  size_t max_piece_bytes;  // of the longest piece
};

class UnigramEncoder final : public WordEncoder {
 public:
  explicit UnigramEncoder(const UnigramModel& model) : model_(model) {}
  void start(size_t limit) override;
  void append(std::string_view part) override;
  void end_word() override;

 private:
  // The best way to reach a byte of the word; `id` is kUnreached until there is one.
  struct Node {
    double score;
    uint32_t start;  // where its last piece starts
    int32_t id;
  };
  static constexpr int32_t kUnreached = -1;

  // A place where pieces may start, and the list of those that do.
  struct Origin {
    Trie::Node node;
    uint32_t start, char_end;
    int32_t first_match;  // into matches_, or -1
  };
  struct Match {
    double score;
    uint32_t end;
    int32_t id, next_match;
  };
  // Walks are made in step so that their memory accesses overlap.
  static constexpr size_t kOrigins = 32;

  void search(size_t until);
  void find_matches(size_t n_origins);
  void follow(const Origin& origin);
  void reach(size_t end, double score, size_t start, int32_t id);
  void commit_settled();
  void emit_path(size_t end);
  void emit(size_t begin, size_t end, int32_t id);
  void flush_unknown();
  void clear_word();

  const UnigramModel& model_;
  WordCache cache_;
  std::string word_;         // what is not yet settled of the word
  std::vector<Node> nodes_;  // nodes_[i]: the first i bytes of word_
  std::vector<uint32_t> path_;
  std::array<Origin, kOrigins> origins_;
  std::vector<Match> matches_;
  size_t searched_ = 0;  // every piece that starts before this byte has been tried
  size_t settle_at_ = 0;  // length of word_ at which to look for a settled part
  bool whole_ = true;     // nothing of the word has been settled yet
  bool in_unknown_ = false;  // a run of unknown pieces is open: they become one token
  std::string unknown_;      // its text, as far as a piece could be that long
};

}  // namespace text2vec::tokenizer
