#include "encoder.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "registry.h"
#include "threads.h"

namespace text2vec {
namespace {

// Tokens of a block: enough that reading the weights once more costs little against computing with
// them, few enough that the block's activations stay in a core's second-level cache.
constexpr int64_t kBlockTokens = 192;

// With several threads, blocks small enough that each thread gets a few, so that all end together.
constexpr int kBlocksPerThread = 4;
constexpr int64_t kSmallestBlock = 32;

// Idle workspaces kept for the next call.
constexpr size_t kIdleWorkspaces = 16;

int machine_threads() { return std::max(1u, std::thread::hardware_concurrency()); }

Shape derived(Shape shape) {
  derive(shape);
  return shape;
}

// First text of each block, and the number of texts at the end.
std::vector<int> cut_blocks(const Batch& batch, int threads) {
  const auto tokens = static_cast<int64_t>(batch.tokens);
  int64_t target = kBlockTokens;
  if (threads > 1) {
    const int64_t share = tokens / (static_cast<int64_t>(threads) * kBlocksPerThread);
    target = std::min(kBlockTokens, std::max(kSmallestBlock, share));
  }
  std::vector<int> cuts{0};
  for (int text = 0; text < batch.texts();) {
    const int64_t start = batch.offsets[text];
    int end = text + 1;
    while (end < batch.texts() && batch.offsets[end + 1] - start <= target) end++;
    cuts.push_back(end);
    text = end;
  }
  return cuts;
}

[[noreturn]] void refuse(const std::string& message) { throw std::invalid_argument(message); }

}  // namespace

Encoder::Encoder(Shape shape, const Arrays& arrays, const std::vector<std::string>& poolings,
                 Dtype dtype, const std::string& kernels, int threads)
    : engine_(choose_engine(kernels, dtype)),
      packed_(derived(shape), arrays, engine_, threads > 0 ? threads : machine_threads()) {
  if (poolings.empty()) refuse("head is empty; expected at least one pooling");
  for (const auto& name : poolings) {
    poolings_.push_back(pooling_by_name(name));
    needs_first_layer_ |= poolings_.back() == Pooling::first_last_avg;
  }
}

std::string Encoder::kernels() const { return std::string(engine_.family) + "/" + engine_.variant; }

void Encoder::check(const Batch& batch, int threads, int skip) const {
  const Shape& s = shape();
  if (threads < 1) refuse("num_threads is " + std::to_string(threads) + "; expected at least 1");
  if (skip < 0) refuse("skip is " + std::to_string(skip) + "; expected 0 or more");
  if (batch.offset_count < 1) refuse("offsets is empty; expected n_texts + 1 numbers");
  if (batch.offset_count > (size_t{1} << 30))
    refuse("offsets has " + std::to_string(batch.offset_count) +
           " numbers; expected at most 2**30: split the batch");
  const int64_t longest = s.max_positions - s.position_offset;
  if (batch.offsets[0] != 0)
    refuse("offsets[0] is " + std::to_string(batch.offsets[0]) + "; expected 0");
  for (int i = 0; i < batch.texts(); i++) {
    const int64_t a = batch.offsets[i], b = batch.offsets[i + 1];
    if (b < a || b > static_cast<int64_t>(batch.tokens))
      refuse("offsets[" + std::to_string(i + 1) + "] is " + std::to_string(b) + "; expected " +
             std::to_string(a) + " to " + std::to_string(batch.tokens));
    if (b - a > longest)
      refuse("text " + std::to_string(i) + " has " + std::to_string(b - a) +
             " tokens; the model has positions for " + std::to_string(longest));
  }
  if (batch.offsets[batch.texts()] != static_cast<int64_t>(batch.tokens))
    refuse("offsets ends at " + std::to_string(batch.offsets[batch.texts()]) +
           "; expected the number of ids, " + std::to_string(batch.tokens));
  for (size_t i = 0; i < batch.tokens; i++)
    if (batch.ids[i] < 0 || batch.ids[i] >= s.vocab_size)
      refuse("ids[" + std::to_string(i) + "] is " + std::to_string(batch.ids[i]) +
             "; expected 0 to " + std::to_string(s.vocab_size - 1));
}

std::unique_ptr<Encoder::Workspace> Encoder::take_workspace(int capacity) const {
  std::unique_ptr<Workspace> workspace;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      workspace = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!workspace) workspace = std::make_unique<Workspace>();
  if (workspace->capacity < capacity) {
    capacity = std::max(capacity, static_cast<int>(kBlockTokens));
    workspace->capacity = 0;
    workspace->memory.reset();  // before the larger one, so that both never exist
    workspace->memory = allocate_zeroed(engine_.workspace_bytes(shape(), capacity));
    if (needs_first_layer_)
      workspace->first_layer.resize(static_cast<size_t>(capacity) *
                                    static_cast<size_t>(shape().width));
    workspace->capacity = capacity;
  }
  return workspace;
}

void Encoder::return_workspace(std::unique_ptr<Workspace> workspace) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (workspace && idle_.size() < kIdleWorkspaces) idle_.push_back(std::move(workspace));
}

// finish(first text, texts, states, first layer's states) is called for each block.
template <class Finish>
void Encoder::run(const Batch& batch, int threads, const Poll& poll, const Finish& finish) const {
  const std::vector<int> cuts = cut_blocks(batch, threads);
  const int blocks = static_cast<int>(cuts.size()) - 1;
  std::vector<std::unique_ptr<Workspace>> workspaces(
      static_cast<size_t>(std::max(1, std::min(threads, blocks))));
  share_out(blocks, threads, [&](int worker, int index) {
    auto& workspace = workspaces[static_cast<size_t>(worker)];
    const int first = cuts[static_cast<size_t>(index)],
              texts = cuts[static_cast<size_t>(index) + 1] - first;
    const int64_t* offsets = batch.offsets + first;
    const int rows = static_cast<int>(offsets[texts] - offsets[0]);
    if (!workspace || workspace->capacity < rows) {
      return_workspace(std::move(workspace));
      workspace = take_workspace(rows);
    }
    const Block block{batch.ids + offsets[0], offsets, texts};
    float* const first_layer = needs_first_layer_ ? workspace->first_layer.data() : nullptr;
    const float* states = engine_.forward(packed_.model(), block, workspace->capacity,
                                          workspace->memory.get(), first_layer);
    finish(first, texts, states, first_layer);
    if (worker == 0 && poll) poll();
  });
  for (auto& workspace : workspaces) return_workspace(std::move(workspace));
}

void Encoder::embed(const Batch& batch, int threads, int skip, float* out, const Poll& poll) const {
  check(batch, threads, skip);
  const ptrdiff_t width = shape().width;
  run(batch, threads, poll,
      [&](int first, int texts, const float* states, const float* first_layer) {
        for (int t = first; t < first + texts; t++) {
          const int64_t row = batch.offsets[t] - batch.offsets[first];
          States s{states + row * width, first_layer ? first_layer + row * width : nullptr, width,
                   static_cast<int>(batch.offsets[t + 1] - batch.offsets[t]), shape().hidden};
          for (size_t p = 0; p < poolings_.size(); p++)
            pool(poolings_[p], s, skip,
                 out + static_cast<ptrdiff_t>(t) * dim() +
                     static_cast<ptrdiff_t>(p) * shape().hidden);
        }
      });
}

void Encoder::states(const Batch& batch, int threads, float* out, const Poll& poll) const {
  check(batch, threads, 0);
  const ptrdiff_t width = shape().width, hidden = shape().hidden;
  run(batch, threads, poll, [&](int first, int texts, const float* states, const float*) {
    const int64_t begin = batch.offsets[first], end = batch.offsets[first + texts];
    for (int64_t r = begin; r < end; r++)
      std::memcpy(out + r * hidden, states + (r - begin) * width,
                  sizeof(float) * static_cast<size_t>(hidden));
  });
}

}  // namespace text2vec
