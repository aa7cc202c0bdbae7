#include "tokenizer.h"

#include <algorithm>

#include "graphemes.h"

namespace text2vec::tokenizer {
namespace {

// A text is normalised in chunks of about this many bytes, so that one of which only the first
// tokens are wanted costs no more than those.
constexpr size_t kChunkBytes = 4096;

// The first place at or after `from` where a text may be cut without changing what any step does:
// between two code points that take part in no grapheme rule (nor in reordering, which such code
// points never do), the first of which is no white space. The end if there is none.
size_t find_cut(std::string_view text, size_t from) {
  if (from >= text.size()) return text.size();
  const CodePoints& tables = CodePoints::get();
  const char* const end = text.data() + text.size();
  const char* p = text.data() + from;
  while (p > text.data() && (static_cast<unsigned char>(*p) & 0xC0) == 0x80) --p;
  bool after_plain = false;
  while (p < end) {
    const DecodedChar c = decode(p, end);
    const bool plain = breaks_plainly(tables.break_class(c.code));
    if (plain && after_plain) return p - text.data();
    after_plain = plain && !(tables.flags(c.code) & kSpace);
    p += c.size;
  }
  return text.size();
}

// The tokens to match, those of the normalised kind as the normaliser writes them.
AddedTokens select_tokens(const CompactFile& file, const Charsmap& charsmap, bool normalized) {
  Normalizer normalizer(file.stages, charsmap);
  std::vector<AddedToken> tokens;
  for (AddedToken token : file.added_tokens) {
    if (((token.flags & AddedToken::kNormalized) != 0) != normalized) continue;
    if (normalized) {
      normalizer.start();
      token.content = std::string(normalizer.apply(token.content, true));
    }
    tokens.push_back(std::move(token));
  }
  return AddedTokens(std::move(tokens));
}

}  // namespace

Tokenizer::Tokenizer(const uint8_t* bytes, size_t size)
    : file_(bytes, size),
      charsmap_(file_.charsmap_units, file_.n_charsmap_units, file_.charsmap_texts),
      raw_tokens_(select_tokens(file_, charsmap_, false)),
      normalized_tokens_(select_tokens(file_, charsmap_, true)),
      unigram_{file_.trie,       file_.scores,        file_.n_pieces,
               file_.unknown_id, file_.unknown_score, file_.max_piece_bytes},
      wordpiece_{file_.trie, file_.continuation, file_.unknown_id, file_.max_word_chars} {
  put_back(std::make_unique<Worker>(*this));  // so that an unknown step shows now
}

Tokenizer::Worker::Worker(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer),
      normalizer_(tokenizer.file_.stages, tokenizer.charsmap_),
      splitter_(make_splitter(tokenizer.file_.splitter)) {
  if (tokenizer.file_.model == CompactFile::kUnigram) {
    words_ = std::make_unique<UnigramEncoder>(tokenizer.unigram_);
  } else {
    words_ = std::make_unique<WordPieceEncoder>(tokenizer.wordpiece_);
  }
}

bool Tokenizer::Worker::encode(std::string_view text, size_t max_length,
                               std::vector<int32_t>& out) {
  const size_t limit = max_length - tokenizer_.n_special();
  words_->start(limit);
  AddedTokens::Walk walk(tokenizer_.raw_tokens_, text);
  // A token that is matched after normalising may span any two chunks.
  const size_t chunk_bytes = tokenizer_.normalized_tokens_.empty() ? kChunkBytes : text.size();
  size_t at = 0;
  bool at_segment_start = true;
  while (at < text.size() && !words_->full()) {
    if (at_segment_start) {
      normalizer_.start();
      splitter_->start(at == 0);
    }
    const size_t cut = find_cut(text, at + std::min(chunk_bytes, text.size() - at));
    AddedTokens::Match match;
    const bool found = walk.next(cut, match);
    const size_t end = found ? match.start : cut;
    const bool last = found || end == text.size();
    encode_segment(text.substr(at, end - at), last);
    if (found && !words_->full()) words_->add_special(match.id);
    at = found ? match.end : end;
    at_segment_start = found;
  }
  const auto& file = tokenizer_.file_;
  const auto& ids = words_->ids();
  out.insert(out.end(), file.template_before.begin(), file.template_before.end());
  out.insert(out.end(), ids.begin(), ids.begin() + std::min(ids.size(), limit));
  out.insert(out.end(), file.template_after.begin(), file.template_after.end());
  return ids.size() > limit;
}

void Tokenizer::Worker::encode_segment(std::string_view chunk, bool last) {
  const std::string_view normalized = normalizer_.apply(chunk, last);
  if (tokenizer_.normalized_tokens_.empty()) {
    splitter_->split(normalized, *words_);
  } else {
    split_normalized(normalized);
  }
  if (last && !words_->full()) splitter_->finish(*words_);
}

void Tokenizer::Worker::split_normalized(std::string_view text) {
  AddedTokens::Walk walk(tokenizer_.normalized_tokens_, text);
  AddedTokens::Match match;
  size_t at = 0;
  while (walk.next(text.size(), match)) {
    splitter_->split(text.substr(at, match.start - at), *words_);
    splitter_->finish(*words_);
    words_->add_special(match.id);
    splitter_->start(false);
    at = match.end;
  }
  splitter_->split(text.substr(at), *words_);
}

std::unique_ptr<Tokenizer::Worker> Tokenizer::take_worker() const {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Worker> worker = std::move(idle_.back());
      idle_.pop_back();
      return worker;
    }
  }
  return std::make_unique<Worker>(*this);
}

void Tokenizer::put_back(std::unique_ptr<Worker> worker) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(worker));
}

}  // namespace text2vec::tokenizer
