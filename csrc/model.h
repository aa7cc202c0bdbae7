// The packed model and its parts: plain data, shared by every kernel family.
#pragma once

#include <cstddef>
#include <cstdint>

namespace text2vec {

enum class Dtype { float32, bfloat16, int8 };
enum class Activation { gelu, gelu_tanh, relu };

// Every matrix dimension is rounded up to this many numbers, with zeros: each family's panel of
// columns divides it, and so does what each format takes of k at once: 64 for an AMX tile of int8.
constexpr int kPad = 64;

// Rows of every activation matrix are rounded up to this many: an AMX tile reads 16 rows at a time.
constexpr int kRowPad = 16;

// Long feed-forward layers are computed in pieces of at most this many columns, so that the
// intermediate activations stay in the cache.
constexpr int kFeedForwardPiece = 512;

static constexpr int round_up(int n, int multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

// No member functions here: families include this file, see README.md.
struct Shape {
  int hidden = 0, layers = 0, heads = 0, intermediate = 0;
  int vocab_size = 0, max_positions = 0, position_offset = 0;
  float layer_norm_eps = 0;
  Activation activation = Activation::gelu;

  // Derived by derive() in packing.cpp.
  int head_dim = 0;
  int width = 0;        // hidden, padded: the stride of a row of states
  int qkv_width = 0;    // 3 * hidden, padded
  int pieces = 0;       // of the intermediate layer
  int piece_width = 0;  // columns of one piece, padded
};

// y = x W^T + bias, with W in the order of one Product's inner loop.
struct Linear {
  int outputs = 0, inputs = 0;  // both padded
  const void* panels = nullptr;
  const float* bias = nullptr;     // (outputs,)
  const float* scales = nullptr;   // (outputs,), int8 only
  const int32_t* start = nullptr;  // (outputs,), int8 only: what the accumulators start from
};

struct Norm {
  const float* weight = nullptr;  // (width,)
  const float* bias = nullptr;
};

struct Layer {
  Linear qkv, attention_output;
  const Linear* up = nullptr;    // one per piece of the intermediate layer
  const Linear* down = nullptr;  // the first has the bias, the others add zero
  Norm attention_norm, output_norm;
};

// How a row of the word table is read. The table itself stays where the caller has it, usually in a
// memory-mapped file: a quarter of a million rows of which a call touches a few thousand.
struct WordTable {
  const void* rows = nullptr;
  void (*read)(const void* rows, int64_t row, int width, float* out) = nullptr;
};

// What is added to the score of a key, by how far it lies behind the query (MPNet). Null where
// positions are absolute alone.
struct DistanceBias {
  const float* values = nullptr;  // (heads, stride)
  int stride = 0;
  int zero = 0;  // column of the distance 0; distance d lies in column zero + d
};

struct Model {
  Shape shape;
  WordTable words;
  DistanceBias distance_bias;
  const float* positions = nullptr;  // (max_positions, width); token and task type are added in
  Norm embedding_norm;
  const Layer* layers = nullptr;
};

// Some whole texts, back to back, as one thread runs them.
struct Block {
  const int32_t* ids = nullptr;
  const int64_t* offsets = nullptr;  // (texts + 1,), counted from `ids + offsets[0]`
  int texts = 0;
};

}  // namespace text2vec
