#include "batch.h"

#include <algorithm>
#include <memory>

#include "../threads.h"

namespace text2vec::tokenizer {
namespace {

// A block is about this many bytes of text: some 20 microseconds of work, so that taking the next
// one costs nothing and the threads finish together.
constexpr size_t kBlockBytes = 16384;
// A thread is worth starting for this many bytes (about 50 microseconds).
constexpr size_t kThreadBytes = 32768;

struct Block {
  size_t first, last;  // texts
  std::vector<int32_t> ids;
};

std::vector<Block> plan_blocks(const std::vector<std::string_view>& texts, size_t& n_bytes) {
  std::vector<Block> blocks;
  size_t first = 0, in_block = 0;
  n_bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    in_block += texts[i].size() + 16;  // empty texts take time too
    if (in_block >= kBlockBytes || i + 1 == texts.size()) {
      blocks.push_back({first, i + 1, {}});
      first = i + 1;
      n_bytes += in_block;
      in_block = 0;
    }
  }
  return blocks;
}

}  // namespace

EncodedBatch encode_batch(const Tokenizer& tokenizer, const std::vector<std::string_view>& texts,
                          size_t max_length, size_t n_threads) {
  size_t n_bytes = 0;
  std::vector<Block> blocks = plan_blocks(texts, n_bytes);
  n_threads = std::min({n_threads, blocks.size(), 1 + n_bytes / kThreadBytes});
  EncodedBatch result;
  result.offsets.assign(texts.size() + 1, 0);
  result.truncated.assign(texts.size(), 0);

  std::vector<std::unique_ptr<Tokenizer::Worker>> workers(n_threads);
  share_out(static_cast<int>(blocks.size()), static_cast<int>(n_threads), [&](int w, int b) {
    auto& worker = workers[static_cast<size_t>(w)];
    if (!worker) worker = tokenizer.take_worker();
    Block& block = blocks[static_cast<size_t>(b)];
    for (size_t i = block.first; i < block.last; ++i) {
      const size_t before = block.ids.size();
      result.truncated[i] = worker->encode(texts[i], max_length, block.ids);
      result.offsets[i + 1] = static_cast<int64_t>(block.ids.size() - before);
    }
  });
  for (auto& worker : workers) {
    if (worker) tokenizer.put_back(std::move(worker));
  }

  for (size_t i = 0; i < texts.size(); ++i) result.offsets[i + 1] += result.offsets[i];
  result.ids.reserve(static_cast<size_t>(result.offsets.back()));
  for (const Block& block : blocks) {
    result.ids.insert(result.ids.end(), block.ids.begin(), block.ids.end());
  }
  return result;
}

}  // namespace text2vec::tokenizer
