// An encoder that several threads may use at once: checks, blocks, workspaces.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "packing.h"
#include "pooling.h"

namespace text2vec {

// Token ids of several texts, back to back, as they come from the caller: not yet checked.
struct Batch {
  const int32_t* ids = nullptr;
  size_t tokens = 0;
  const int64_t* offsets = nullptr;  // text i is ids[offsets[i] .. offsets[i + 1])
  size_t offset_count = 0;           // texts + 1
  int texts() const { return static_cast<int>(offset_count) - 1; }
};

class Encoder {
 public:
  // The word table in `arrays` must outlive the encoder; everything else is copied.
  // threads <= 0: as many as the machine has, for packing.
  Encoder(Shape shape, const Arrays& arrays, const std::vector<std::string>& poolings, Dtype dtype,
          const std::string& kernels, int threads);

  // Writes (texts, dim) and (tokens, hidden). Throws std::invalid_argument for bad input, before
  // anything is computed. `poll` is called by the calling thread between its blocks; what it throws
  // ends the call.
  using Poll = std::function<void()>;
  void embed(const Batch& batch, int threads, int skip, float* out, const Poll& poll = {}) const;
  void states(const Batch& batch, int threads, float* out, const Poll& poll = {}) const;

  int dim() const { return shape().hidden * static_cast<int>(poolings_.size()); }
  const Shape& shape() const { return packed_.model().shape; }
  std::string kernels() const;
  size_t packed_bytes() const { return packed_.bytes(); }

 private:
  struct Workspace {
    int capacity = 0;  // tokens
    AlignedMemory memory;
    std::vector<float> first_layer;
  };

  void check(const Batch& batch, int threads, int skip) const;
  template <class Finish>
  void run(const Batch& batch, int threads, const Poll& poll, const Finish& finish) const;
  std::unique_ptr<Workspace> take_workspace(int capacity) const;
  void return_workspace(std::unique_ptr<Workspace> workspace) const;

  const Engine& engine_;
  std::vector<Pooling> poolings_;
  bool needs_first_layer_ = false;
  PackedModel packed_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace text2vec
