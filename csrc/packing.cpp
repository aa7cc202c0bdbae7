#include "packing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <set>
#include <stdexcept>

#include "threads.h"

namespace text2vec {
namespace {

std::string text(const std::vector<size_t>& shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); i++) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + ")";
}

void require_range(const char* name, int value, int low, int high) {
  if (value < low || value > high)
    throw std::invalid_argument("shape[\"" + std::string(name) + "\"] is " + std::to_string(value) +
                                "; expected " + std::to_string(low) + " to " +
                                std::to_string(high));
}

void read_word_row(const void* rows, int64_t row, int width, float* out) {
  std::memcpy(out, static_cast<const float*>(rows) + row * width,
              sizeof(float) * static_cast<size_t>(width));
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu, fraction = half & 0x3ffu;
  float value;
  if (exponent == 0) {  // zero, or too small for the hidden bit
    value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  const uint32_t bits = sign | wide << 23 | fraction << 13;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

void read_word_blocks(const void* rows, int64_t row, int width, float* out) {
  const int blocks = width / static_cast<int>(kBlockWeights);
  const auto* at = static_cast<const uint8_t*>(rows) +
                   row * blocks * static_cast<int64_t>(kBlockBytes);
  constexpr int kHalf = static_cast<int>(kBlockWeights) / 2;
  for (int block = 0; block < blocks; block++, at += kBlockBytes, out += kBlockWeights) {
    const float scale = half_to_float(static_cast<uint16_t>(at[0] | at[1] << 8));
    uint8_t pairs[kHalf];  // a copy, which nothing written to `out` can change: vectors are read
    std::memcpy(pairs, at + 2, sizeof pairs);
    for (int j = 0; j < kHalf; j++) out[j] = static_cast<float>((pairs[j] & 15) - 8) * scale;
    for (int j = 0; j < kHalf; j++)
      out[j + kHalf] = static_cast<float>((pairs[j] >> 4) - 8) * scale;
  }
}

void require_finite(const std::string& name, const float* values, size_t count) {
  float zero = 0;  // a product with zero is NaN for everything that is not finite
  for (size_t i = 0; i < count; i++) zero += values[i] * 0.0f;
  if (zero != 0.0f) throw std::invalid_argument(name + " holds a number that is not finite");
}

}  // namespace

void derive(Shape& s) {
  require_range("hidden", s.hidden, 8, 8192);
  require_range("layers", s.layers, 1, 256);
  require_range("heads", s.heads, 1, s.hidden);
  require_range("intermediate", s.intermediate, 1, 65536);
  require_range("vocab_size", s.vocab_size, 1, 1 << 30);
  require_range("max_positions", s.max_positions, 1, 1 << 20);
  require_range("position_offset", s.position_offset, 0, s.max_positions - 1);
  if (s.hidden % 8 != 0)
    throw std::invalid_argument("shape[\"hidden\"] is " + std::to_string(s.hidden) +
                                "; expected a multiple of 8");
  if (s.hidden % s.heads != 0)
    throw std::invalid_argument("shape[\"hidden\"] is " + std::to_string(s.hidden) +
                                "; expected a multiple of shape[\"heads\"], " +
                                std::to_string(s.heads));
  if (!(s.layer_norm_eps > 0 && s.layer_norm_eps < 1))
    throw std::invalid_argument("shape[\"layer_norm_eps\"] is " + std::to_string(s.layer_norm_eps) +
                                "; expected a small positive number");
  s.head_dim = s.hidden / s.heads;
  s.width = round_up(s.hidden, kPad);
  s.qkv_width = round_up(3 * s.hidden, kPad);
  s.pieces = (s.intermediate + kFeedForwardPiece - 1) / kFeedForwardPiece;
  s.piece_width = round_up((s.intermediate + s.pieces - 1) / s.pieces, kPad);
  s.pieces =
      (s.intermediate + s.piece_width - 1) / s.piece_width;  // the last may have become empty
}

// Matrices lie back to back in pieces of this size, so that they fill huge pages.
constexpr size_t kChunk = size_t{4} << 20;
constexpr size_t kLine = 64;

// Collects what is to be packed, then packs it all on several threads.
class Packer {
 public:
  Packer(PackedModel& out, const Shape& shape, const Arrays& arrays, const Engine& engine)
      : out_(out), shape_(shape), arrays_(arrays), engine_(engine) {}

  void run(int threads) {
    out_.model_.shape = shape_;
    embeddings();
    out_.layers_.resize(static_cast<size_t>(shape_.layers));
    out_.pieces_.resize(static_cast<size_t>(shape_.layers * shape_.pieces * 2));
    for (int i = 0; i < shape_.layers; i++) layer(i);
    out_.model_.layers = out_.layers_.data();
    for (const auto& entry : arrays_)
      if (!used_.count(entry.first))
        throw std::invalid_argument("weights[\"" + entry.first + "\"] is not part of this shape");
    share_out(static_cast<int>(tasks_.size()), threads,
              [&](int, int i) { tasks_[static_cast<size_t>(i)](); });
  }

 private:
  const float* find(const std::string& name, const std::vector<size_t>& shape) {
    const auto found = arrays_.find(name);
    if (found == arrays_.end())
      throw std::invalid_argument("weights[\"" + name + "\"] is missing; expected shape " +
                                  text(shape));
    used_.insert(name);
    if (found->second.shape != shape)
      throw std::invalid_argument("weights[\"" + name + "\"] has shape " +
                                  text(found->second.shape) + "; expected " + text(shape));
    return found->second.values;
  }

  template <class T>
  T* allocate(size_t count) {
    const size_t bytes = (count * sizeof(T) + kLine - 1) / kLine * kLine;
    if (bytes > chunk_left_) {
      chunk_left_ = std::max(bytes, kChunk);
      out_.memory_.push_back(allocate_zeroed(chunk_left_));
      chunk_ = static_cast<char*>(out_.memory_.back().get());
      out_.bytes_ += chunk_left_;
    }
    void* const piece = chunk_;
    chunk_ += bytes;
    chunk_left_ -= bytes;
    return static_cast<T*>(piece);
  }

  size_t hidden() const { return static_cast<size_t>(shape_.hidden); }
  size_t intermediate() const { return static_cast<size_t>(shape_.intermediate); }

  // `count` finite numbers, padded with zeros.
  float* copy(const std::string& name, const float* values, size_t count) {
    require_finite(name, values, count);
    float* to = allocate<float>(static_cast<size_t>(round_up(static_cast<int>(count), kPad)));
    std::copy(values, values + count, to);
    return to;
  }

  Norm norm(const std::string& name) {
    const float* weight = find(name + ".weight", {hidden()});
    const float* bias = find(name + ".bias", {hidden()});
    return {copy(name + ".weight", weight, hidden()), copy(name + ".bias", bias, hidden())};
  }

  void embeddings() {
    const auto width = static_cast<size_t>(shape_.width);
    const float* words = find("word", {static_cast<size_t>(shape_.vocab_size), hidden()});
    const uint8_t* blocks = arrays_.at("word").blocks;
    out_.model_.words = blocks ? WordTable{blocks, read_word_blocks} : WordTable{words, read_word_row};
    const auto rows = static_cast<size_t>(shape_.max_positions);
    const float* from = find("position", {rows, hidden()});
    float* to = allocate<float>(rows * width);
    for (size_t r = 0; r < rows; r++)
      std::copy(from + r * hidden(), from + (r + 1) * hidden(), to + r * width);
    for (const char* name : {"token_type", "task_type"}) {
      const auto found = arrays_.find(name);
      if (found == arrays_.end()) continue;
      const size_t types = found->second.shape.empty() ? 0 : found->second.shape[0];
      const float* first = find(name, {std::max<size_t>(types, 1), hidden()});
      for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < hidden(); i++) to[r * width + i] += first[i];
    }
    require_finite("position", to, rows * width);
    out_.model_.positions = to;
    if (arrays_.count("distance_bias")) distances(rows);
    out_.model_.embedding_norm = norm("embedding_norm");
  }

  // A row for each head: the distances of a key from -(positions - 1) to positions - 1, and as many
  // zeros as the last vector of a text's keys may read beyond them.
  void distances(size_t positions) {
    const size_t heads = static_cast<size_t>(shape_.heads), count = 2 * positions - 1;
    const float* from = find("distance_bias", {heads, count});
    require_finite("distance_bias", from, heads * count);
    const auto stride = static_cast<size_t>(round_up(static_cast<int>(count), kPad) + kPad);
    float* to = allocate<float>(heads * stride);
    for (size_t head = 0; head < heads; head++)
      std::copy(from + head * count, from + (head + 1) * count, to + head * stride);
    out_.model_.distance_bias = {to, static_cast<int>(stride), static_cast<int>(positions) - 1};
  }

  void layer(int index) {
    const std::string at = "layers." + std::to_string(index) + ".";
    const auto square = [&](const std::string& name) {
      return find(at + name + ".weight", {hidden(), hidden()});
    };
    const auto bias = [&](const std::string& name, size_t n) {
      return find(at + name + ".bias", {n});
    };
    const int h = shape_.hidden;
    Layer& layer = out_.layers_[static_cast<size_t>(index)];

    Matrix qkv{{square("query"), square("key"), square("value")}, h, 3 * h, h, h, 1};
    qkv.factor = 1 / std::sqrt(static_cast<float>(shape_.head_dim));  // of the scores, folded in
    std::vector<float> qkv_bias;
    for (const char* name : {"query", "key", "value"}) {
      const float* from = bias(name, hidden());
      for (size_t i = 0; i < hidden(); i++)
        qkv_bias.push_back(from[i] * (qkv_bias.size() < hidden() ? qkv.factor : 1));
    }
    layer.qkv = linear(at + "query, key or value", qkv, qkv_bias.data());
    layer.attention_output =
        linear(at + "attention_output", {{square("attention_output")}, h, h, h, h, 1},
               bias("attention_output", hidden()));
    layer.attention_norm = norm(at + "attention_norm");
    feed_forward(at, layer, index);
    layer.output_norm = norm(at + "output_norm");
  }

  void feed_forward(const std::string& at, Layer& layer, int index) {
    const float* up = find(at + "intermediate.weight", {intermediate(), hidden()});
    const float* up_bias = find(at + "intermediate.bias", {intermediate()});
    const float* down = find(at + "output.weight", {hidden(), intermediate()});
    const float* down_bias = find(at + "output.bias", {hidden()});
    Linear* ups = out_.pieces_.data() + static_cast<ptrdiff_t>(index) * shape_.pieces * 2;
    Linear* downs = ups + shape_.pieces;
    const int h = shape_.hidden;
    for (int piece = 0; piece < shape_.pieces; piece++) {
      const int first = piece * shape_.piece_width,
                size = std::min(shape_.piece_width, shape_.intermediate - first);
      ups[piece] =
          linear(at + "intermediate",
                 {{up + static_cast<ptrdiff_t>(first) * h}, size, size, h, h, 1}, up_bias + first);
      downs[piece] = linear(at + "output", {{down + first}, h, h, size, shape_.intermediate, 1},
                            piece ? nullptr : down_bias);
    }
    layer.up = ups;
    layer.down = downs;
  }

  Linear linear(const std::string& name, const Matrix& matrix, const float* bias) {
    Linear out;
    out.outputs = round_up(matrix.outputs, kPad);
    out.inputs = round_up(matrix.inputs, kPad);
    const auto outputs = static_cast<size_t>(out.outputs);
    void* panels = allocate<char>(engine_.panel_bytes(out.outputs, out.inputs));
    const bool coded = engine_.dtype == Dtype::int8;
    float* scales = coded ? allocate<float>(outputs) : nullptr;
    int32_t* start = coded ? allocate<int32_t>(outputs) : nullptr;
    out.bias = bias ? copy(name + ".bias", bias, static_cast<size_t>(matrix.outputs))
                    : allocate<float>(outputs);
    out.panels = panels, out.scales = scales, out.start = start;
    const int inputs = out.inputs;
    for (int first = 0; first < out.outputs; first += kPad)
      tasks_.push_back([=, pack = engine_.pack] {
        for (int n = first; n < std::min(first + kPad, matrix.outputs); n++)
          require_finite(
              name + ".weight",
              matrix.parts[n / matrix.part_outputs] + n % matrix.part_outputs * matrix.stride,
              static_cast<size_t>(matrix.inputs));
        pack(matrix, first, inputs, panels, scales, start);
      });
    return out;
  }

  PackedModel& out_;
  const Shape& shape_;
  const Arrays& arrays_;
  const Engine& engine_;
  std::set<std::string> used_;
  char* chunk_ = nullptr;
  size_t chunk_left_ = 0;
  std::vector<std::function<void()>> tasks_;
};

PackedModel::PackedModel(const Shape& shape, const Arrays& arrays, const Engine& engine,
                         int threads) {
  Packer(*this, shape, arrays, engine).run(threads);
}

}  // namespace text2vec
