// A checkpoint's arrays, checked by name and shape, to a packed model.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine.h"
#include "memory.h"

namespace text2vec {

// A float32 array in row-major order that outlives the call. The word table may be in 4 bits
// instead: `blocks` then has its rows, and `values` is null.
struct Array {
  const float* values = nullptr;
  std::vector<size_t> shape;
  const uint8_t* blocks = nullptr;
};

// Q4_0: an f16 scale d and 16 bytes hold 32 weights; byte j has weight j in its low half and weight
// j + 16 in its high half, and a weight is (half - 8) * d.
constexpr size_t kBlockWeights = 32, kBlockBytes = 18;
using Arrays = std::map<std::string, Array>;

// Fills the derived sizes; throws std::invalid_argument if the shape makes no sense.
void derive(Shape& shape);

// A model and the memory that it points into. The word table is not part of it: the caller keeps
// that array alive.
class PackedModel {
 public:
  // Throws std::invalid_argument naming the array that is missing, superfluous or misshapen.
  PackedModel(const Shape& shape, const Arrays& arrays, const Engine& engine, int threads);
  const Model& model() const { return model_; }
  size_t bytes() const { return bytes_; }

 private:
  Model model_;
  std::vector<Layer> layers_;
  std::vector<Linear> pieces_;
  std::vector<AlignedMemory> memory_;
  size_t bytes_ = 0;
  friend class Packer;
};

}  // namespace text2vec
