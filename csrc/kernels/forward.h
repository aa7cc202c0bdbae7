// The forward pass of a BERT-family encoder over one block of whole texts, once for all families.
#pragma once

#include <math.h>
#include <string.h>

#include "attention.h"

namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

// Rows that go through the products of a layer together. A longer text goes in parts, whose
// activations stay in the second-level cache; attention alone sees all of it.
constexpr int kPartRows = 96;
static_assert(kPartRows % (2 * kRowPad) == 0, "two tiles of rows are multiplied at a time");

// Hands out aligned pieces of one allocation; with a null base it only adds up.
struct Arena {
  char* base;
  size_t used = 0;
  template <class T>
  T* take(size_t count) {
    T* const piece = base ? reinterpret_cast<T*>(base + used) : nullptr;
    // One line more than needed: rows of different matrices then fall on different cache sets.
    used += (count * sizeof(T) + 2 * kAlignment - 1) / kAlignment * kAlignment;
    return piece;
  }
};

// What a block needs between its layers. P multiplies the matrices, F in attention.
template <class P, class F>
struct Workspace {
  float* x;                     // (rows, width) the residual stream
  typename P::Activation* a;    // (rows, width) input of the next product
  typename F::Activation* qkv;  // (rows, qkv_width)
  typename P::Activation* h;    // (part, piece_width) activated intermediate
  float* staging;               // (rows, width) or (part, piece_width) before it is quantised
  float* a_scales;              // (rows,)
  float* h_scales;              // (part,)
  typename Attention<F>::Memory attention;

  static size_t carve(const Shape& shape, int capacity, void* memory, Workspace* out) {
    Arena arena{static_cast<char*>(memory)};
    const auto rows = static_cast<size_t>(round_up(capacity, kRowPad));
    const auto width = static_cast<size_t>(shape.width);
    const auto part = static_cast<size_t>(capacity < kPartRows ? rows : kPartRows);
    const auto piece = static_cast<size_t>(shape.piece_width);
    Workspace w;
    w.x = arena.take<float>(rows * width);
    w.a = arena.take<typename P::Activation>(rows * width + kPad);
    w.qkv = arena.take<typename F::Activation>(
        (rows + S::width) * static_cast<size_t>(shape.qkv_width) + kPad);
    w.h = arena.take<typename P::Activation>(part * piece);
    w.staging = arena.take<float>(P::scaled ? larger(rows * width, part * piece) + kPad : 0);
    w.a_scales = arena.take<float>(rows);
    w.h_scales = arena.take<float>(part);
    w.attention = Attention<F>::Memory::carve(arena, shape.head_dim, capacity);
    if (out) *out = w;
    return arena.used;
  }

 private:
  using S = typename P::Simd;
  static size_t larger(size_t a, size_t b) { return a > b ? a : b; }
};

template <class P, class F>
class Forward {
  using S = typename P::Simd;
  using Code = typename P::Activation;
  using Floats = typename S::Floats;
  static_assert(S::width == F::Simd::width, "one product's result is the other's operand");

 public:
  Forward(const Model& model, const Block& block, int capacity, void* memory)
      : model_(model),
        shape_(model.shape),
        block_(block),
        width_(shape_.width),
        rows_(static_cast<int>(block.offsets[block.texts] - block.offsets[0])) {
    Workspace<P, F>::carve(shape_, capacity, memory, &w_);
  }

  const float* run(float* first_layer) {
    if (rows_ == 0) return w_.x;  // nothing but empty texts
    [[maybe_unused]] const typename Gemm<P>::Session session;
    embed();
    for (int i = 0; i < shape_.layers; i++) {
      layer(model_.layers[i]);
      if (i == 0 && first_layer) memcpy(first_layer, w_.x, sizeof(float) * area(rows_, width_));
    }
    return w_.x;
  }

 private:
  static size_t area(int rows, int columns) {
    return static_cast<size_t>(rows) * static_cast<size_t>(columns);
  }
  template <class T>
  static T* row(T* matrix, int r, int stride) {
    return matrix + static_cast<ptrdiff_t>(r) * stride;
  }

  void embed() {
    const int64_t base = block_.offsets[0];
    for (int t = 0; t < block_.texts; t++) {
      const auto first = static_cast<int>(block_.offsets[t] - base);
      const auto last = static_cast<int>(block_.offsets[t + 1] - base);
      int next = shape_.position_offset;
      for (int r = first; r < last; r++) {
        float* const x = row(w_.x, r, width_);
        model_.words.read(model_.words.rows, block_.ids[r], shape_.hidden, x);
        memset(x + shape_.hidden, 0, static_cast<size_t>(width_ - shape_.hidden) * sizeof(float));
        // RoBERTa and its kin number from behind the padding id, which itself does not count.
        const bool is_padding = block_.ids[r] == shape_.position_offset - 1;
        const float* const position =
            row(model_.positions, is_padding ? block_.ids[r] : next++, width_);
        for (int i = 0; i < shape_.hidden; i += S::width)
          S::store(x + i, S::add(S::load(x + i), S::load(position + i)));
        normalise(r, model_.embedding_norm);
      }
    }
  }

  void layer(const Layer& layer) {
    in_parts([&](int first, int count) {
      Gemm<P>::run(codes(first, count), layer.qkv, [&](int r, int column, const auto& out) {
        auto* const to = row(w_.qkv, first + r, shape_.qkv_width) + column;
        unroll<Gemm<P>::kVectors>([&](auto v) { F::store(to + v * S::width, out[v]); });
      });
    });
    attend();
    in_parts([&](int first, int count) {
      Gemm<P>::run(codes(first, count), layer.attention_output, add_to_residual(first));
      for (int r = first; r < first + count; r++) normalise(r, layer.attention_norm);
      for (int piece = 0; piece < shape_.pieces; piece++)
        feed_forward(first, count, layer.up[piece], layer.down[piece]);
      for (int r = first; r < first + count; r++) normalise(r, layer.output_norm);
    });
  }

  // body(first row, rows) for parts of nearly equal size.
  template <class Body>
  void in_parts(Body body) const {
    constexpr int kUnit = 2 * kRowPad;
    const int units = (rows_ + kUnit - 1) / kUnit, parts = (rows_ + kPartRows - 1) / kPartRows;
    for (int part = 0; part < parts; part++) {
      const int first = units * part / parts * kUnit, last = units * (part + 1) / parts * kUnit;
      body(first, (last < rows_ ? last : rows_) - first);
    }
  }

  Rows<Code> codes(int first, int count) const {
    return {row(w_.a, first, width_), width_, w_.a_scales + first, count};
  }

  auto add_to_residual(int first) {
    return [this, first](int r, int column, const auto& out) {
      float* const x = row(w_.x, first + r, width_) + column;
      unroll<Gemm<P>::kVectors>(
          [&](auto v) { S::store(x + v * S::width, S::add(S::load(x + v * S::width), out[v])); });
    };
  }

  // Attention of every text; its result, as codes, takes the place of the layer's input.
  void attend() {
    const int64_t base = block_.offsets[0];
    const int qkv_width = shape_.qkv_width;
    for (int t = 0; t < block_.texts; t++) {
      const auto first = static_cast<int>(block_.offsets[t] - base);
      const typename Attention<F>::Text text{
          row(w_.qkv, first, qkv_width), qkv_width,
          static_cast<int>(block_.offsets[t + 1] - base) - first};
      const auto sink = [&](int r, int column, Floats v, int count) {
        if constexpr (P::scaled) {
          store_first(count, row(w_.staging, first + r, width_) + column, v, S::store);
        } else {
          store_first(count, row(w_.a, first + r, width_) + column, v, P::store);
        }
      };
      Attention<F>::run(text, shape_, model_.distance_bias, w_.attention, sink);
    }
    if constexpr (P::scaled) {
      const auto behind = static_cast<size_t>(width_ - shape_.hidden) * sizeof(float);
      for (int r = 0; r < rows_; r++) {
        float* const context = row(w_.staging, r, width_);
        memset(context + shape_.hidden, 0, behind);  // the feed-forward layer wrote there
        w_.a_scales[r] = P::quantise(context, width_, row(w_.a, r, width_));
      }
    }
  }

  // Stores min(count, width) lanes; a head may end within a vector, where the next head begins.
  template <class T>
  static TEXT2VEC_INLINE void store_first(int count, T* to, Floats v, void (*store)(T*, Floats)) {
    if (count >= S::width) return store(to, v);
    T lanes[S::width];
    store(lanes, v);
    memcpy(to, lanes, static_cast<size_t>(count) * sizeof(T));
  }

  void feed_forward(int first, int count, const Linear& up, const Linear& down) {
    switch (shape_.activation) {
      case Activation::gelu:
        activated_product<Activation::gelu>(codes(first, count), up);
        break;
      case Activation::gelu_tanh:
        activated_product<Activation::gelu_tanh>(codes(first, count), up);
        break;
      case Activation::relu:
        activated_product<Activation::relu>(codes(first, count), up);
        break;
    }
    const int piece = up.outputs;
    if constexpr (P::scaled) {
      for (int r = 0; r < count; r++)
        w_.h_scales[r] = P::quantise(row(w_.staging, r, piece), piece, row(w_.h, r, piece));
    }
    Gemm<P>::run(Rows<Code>{w_.h, piece, w_.h_scales, count}, down, add_to_residual(first));
  }

  template <Activation kind>
  void activated_product(const Rows<Code>& a, const Linear& up) {
    Gemm<P>::run(a, up, [&](int r, int column, const auto& out) {
      unroll<Gemm<P>::kVectors>([&](auto v) {
        const Floats y = activate<S, kind, P::gelu_terms>(out[v]);
        const int at = column + v * S::width;
        if constexpr (P::scaled) {
          S::store(row(w_.staging, r, up.outputs) + at, y);
        } else {
          P::store(row(w_.h, r, up.outputs) + at, y);
        }
      });
    });
  }

  // Layer normalisation of a row of the residual stream, in place, and as codes for the next
  // product. Columns behind the hidden ones are zero before and after: so are the norm's there.
  void normalise(int r, const Norm& norm) {
    float* const x = row(w_.x, r, width_);
    const auto hidden = static_cast<float>(shape_.hidden);
    const float sum = sum_row(x, [](Floats part, Floats v, int) { return S::add(part, v); });
    const auto mean = S::set1(sum / hidden);
    const float squares = sum_row(x, [&](Floats part, Floats v, int at) {
      Floats d = S::sub(v, mean);
      if (width_ > shape_.hidden) d = S::select_first(shape_.hidden - at, d, S::zero());
      return S::fma(d, d, part);
    });
    const auto inverse = S::set1(1 / sqrtf(squares / hidden + shape_.layer_norm_eps));
    for (int i = 0; i < width_; i += S::width) {
      const auto scaled = S::mul(S::sub(S::load(x + i), mean), inverse);
      const auto y = S::fma(scaled, S::load(norm.weight + i), S::load(norm.bias + i));
      S::store(x + i, y);
      if constexpr (!P::scaled) P::store(row(w_.a, r, width_) + i, y);
    }
    if constexpr (P::scaled) w_.a_scales[r] = P::quantise(x, width_, row(w_.a, r, width_));
  }

  // Adds up a row in four parts, none of which waits for another: part = add(part, vector, column).
  template <class Add>
  float sum_row(const float* x, Add add) const {
    constexpr int kParts = 4;
    static_assert(kPad % (kParts * S::width) == 0, "a row is whole rounds");
    Floats parts[kParts];
    unroll<kParts>([&](auto p) { parts[p] = S::zero(); });
    for (int i = 0; i < width_; i += kParts * S::width)
      unroll<kParts>([&](auto p) {
        const int at = i + p * S::width;
        parts[p] = add(parts[p], S::load(x + at), at);
      });
    return S::sum(S::add(S::add(parts[0], parts[1]), S::add(parts[2], parts[3])));
  }

  const Model& model_;
  const Shape& shape_;
  const Block& block_;
  const int width_, rows_;
  Workspace<P, F> w_;
};

// The table of functions of one product.
template <class P, class F>
constexpr Engine make_engine(const char* family, const char* variant, Dtype dtype,
                             unsigned features, bool automatic = true) {
  return Engine{family,
                variant,
                dtype,
                features,
                automatic,
                panel_bytes<P>,
                pack_panels<P>,
                [](const Shape& shape, int capacity) {
                  return Workspace<P, F>::carve(shape, capacity, nullptr, nullptr);
                },
                [](const Model& model, const Block& block, int capacity, void* workspace,
                   float* first_layer) {
                  return Forward<P, F>(model, block, capacity, workspace).run(first_layer);
                }};
}

}  // namespace
