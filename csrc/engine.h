// What a kernel family offers: a table of functions, one for each number format it computes in.
#pragma once

#include "model.h"

namespace text2vec {

// A matrix of a checkpoint, (outputs, inputs), rows `stride` numbers apart. Several matrices of
// the same shape may lie above each other, as query, key and value do; the first times `factor`.
struct Matrix {
  const float* parts[3] = {};
  int part_outputs = 0, outputs = 0, inputs = 0;
  ptrdiff_t stride = 0;
  float factor = 1;
};

struct Engine {
  const char* family;   // "avx512"
  const char* variant;  // "vnni": which instructions of the family
  Dtype dtype;
  unsigned features;  // what the machine must have, see processor.h
  bool automatic;     // whether "auto" may choose it: not what is there for tests

  // Bytes of packed panels for padded dimensions.
  size_t (*panel_bytes)(int outputs, int inputs);
  // Packs kPad outputs from `first`, a multiple of kPad. scales and start: int8 only.
  void (*pack)(const Matrix& matrix, int first, int padded_inputs, void* panels, float* scales,
               int32_t* start);
  // Bytes of working memory for up to `capacity` tokens; to be zeroed once, when it is made.
  size_t (*workspace_bytes)(const Shape& shape, int capacity);
  // Token states of the block, (rows, width), in the workspace. A copy of the first layer's output
  // goes to `first_layer` unless that is null.
  const float* (*forward)(const Model& model, const Block& block, int capacity, void* workspace,
                          float* first_layer);
};

}  // namespace text2vec
