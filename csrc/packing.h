// A checkpoint's arrays, checked by name and shape, to a packed model.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine.h"
#include "memory.h"

namespace text2vec {

// A float32 array in row-major order that outlives the call.
struct Array {
  const float* values = nullptr;
  std::vector<size_t> shape;
};
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
