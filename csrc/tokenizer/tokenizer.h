// From a text to its ids: added tokens, normaliser, splitter, model, template, truncation.
#pragma once

#include <memory>
#include <mutex>

#include "compact_file.h"
#include "unigram.h"
#include "wordpiece.h"

namespace text2vec::tokenizer {

class Tokenizer {
 public:
  // `bytes` is a compact file and must outlive this; raises FormatError.
  Tokenizer(const uint8_t* bytes, size_t size);

  // Ids that the template puts around every text.
  size_t n_special() const { return file_.template_before.size() + file_.template_after.size(); }

  // What one thread needs to encode text after text.
  class Worker {
   public:
    explicit Worker(const Tokenizer& tokenizer);
    // Appends the ids of `text`, at most `max_length` of them; says whether that cut any off.
    // Requires max_length >= n_special().
    bool encode(std::string_view text, size_t max_length, std::vector<int32_t>& out);

   private:
    void encode_segment(std::string_view chunk, bool last);
    void split_normalized(std::string_view text);

    const Tokenizer& tokenizer_;
    Normalizer normalizer_;
    std::unique_ptr<Splitter> splitter_;
    std::unique_ptr<WordEncoder> words_;
  };

  // A worker nobody uses; put it back to keep its caches.
  std::unique_ptr<Worker> take_worker() const;
  void put_back(std::unique_ptr<Worker> worker) const;

 private:
  const CompactFile file_;
  const Charsmap charsmap_;
  const AddedTokens raw_tokens_, normalized_tokens_;
  const UnigramModel unigram_;
  const WordPieceModel wordpiece_;

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Worker>> idle_;
};

}  // namespace text2vec::tokenizer
