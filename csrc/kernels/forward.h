// The forward pass of a BERT-family encoder over one block of whole texts, once for all families.
#pragma once

#include <math.h>
#include <string.h>

#include "attention.h"

namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector

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

// What a block needs between its layers. `Code` is the product's activation type.
template <class P, class F>
struct Workspace {
  float* x;                   // (rows, width) the residual stream
  typename P::Activation* a;  // (rows, width) input of the next product
  float* qkv;                 // (rows, qkv_width)
  typename P::Activation* h;  // (rows, piece_width) activated intermediate
  float* staging;             // (rows, widest of both) before it is quantised
  float* a_scales;            // (rows,)
  float* h_scales;
  float* attention;

  static size_t carve(const Shape& shape, int capacity, void* memory, Workspace* out) {
    Arena arena{static_cast<char*>(memory)};
    const auto rows = static_cast<size_t>(round_up(capacity, kRowPad));
    const auto width = static_cast<size_t>(shape.width);
    const auto piece = static_cast<size_t>(shape.piece_width);
    Workspace w;
    w.x = arena.take<float>(rows * width);
    w.a = arena.take<typename P::Activation>(rows * width + kPad);
    w.qkv = arena.take<float>((rows + S::width) * static_cast<size_t>(shape.qkv_width) + kPad);
    w.h = arena.take<typename P::Activation>(rows * piece);
    w.staging = arena.take<float>(P::scaled ? rows * (width > piece ? width : piece) + kPad : 0);
    w.a_scales = arena.take<float>(rows);
    w.h_scales = arena.take<float>(rows);
    w.attention = arena.take<float>(Attention<F>::floats(shape.head_dim, capacity));
    if (out) *out = w;
    return arena.used;
  }

 private:
  using S = typename P::Simd;
};

template <class P, class F>
class Forward {
  using S = typename P::Simd;
  using Code = typename P::Activation;
  using Floats = typename S::Floats;

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
      for (int r = first; r < last; r++) {
        float* const x = row(w_.x, r, width_);
        model_.words.read(model_.words.rows, block_.ids[r], shape_.hidden, x);
        const float* const position =
            row(model_.positions, shape_.position_offset + r - first, width_);
        for (int i = 0; i < shape_.hidden; i += S::width)
          S::store(x + i, S::add(S::load(x + i), S::load(position + i)));
        normalise(r, model_.embedding_norm);
      }
    }
  }

  void layer(const Layer& layer) {
    const Rows<Code> a{w_.a, width_, w_.a_scales, rows_};
    const int qkv_width = shape_.qkv_width;
    Gemm<P>::run(a, layer.qkv, [&](int r, int column, const auto& out) {
      float* const to = row(w_.qkv, r, qkv_width) + column;
      unroll<Gemm<P>::kVectors>([&](auto v) { S::store(to + v * S::width, out[v]); });
    });
    attend();
    Gemm<P>::run(a, layer.attention_output, add_to_residual());
    for (int r = 0; r < rows_; r++) normalise(r, layer.attention_norm);
    for (int piece = 0; piece < shape_.pieces; piece++) {
      feed_forward(a, layer.up[piece], layer.down[piece]);
    }
    for (int r = 0; r < rows_; r++) normalise(r, layer.output_norm);
  }

  auto add_to_residual() {
    return [this](int r, int column, const auto& out) {
      float* const x = row(w_.x, r, width_) + column;
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
      const TextRows text{row(w_.qkv, first, qkv_width), qkv_width,
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

  void feed_forward(const Rows<Code>& a, const Linear& up, const Linear& down) {
    switch (shape_.activation) {
      case Activation::gelu:
        activated_product<Activation::gelu>(a, up);
        break;
      case Activation::gelu_tanh:
        activated_product<Activation::gelu_tanh>(a, up);
        break;
      case Activation::relu:
        activated_product<Activation::relu>(a, up);
        break;
    }
    const int piece = up.outputs;
    if constexpr (P::scaled) {
      for (int r = 0; r < rows_; r++)
        w_.h_scales[r] = P::quantise(row(w_.staging, r, piece), piece, row(w_.h, r, piece));
    }
    Gemm<P>::run(Rows<Code>{w_.h, piece, w_.h_scales, rows_}, down, add_to_residual());
  }

  template <Activation kind>
  void activated_product(const Rows<Code>& a, const Linear& up) {
    Gemm<P>::run(a, up, [&](int r, int column, const auto& out) {
      unroll<Gemm<P>::kVectors>([&](auto v) {
        const Floats y = activate<S, kind, P::exact>(out[v]);
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
  // product. Columns behind the hidden ones become zero.
  void normalise(int r, const Norm& norm) {
    float* const x = row(w_.x, r, width_);
    const int whole = shape_.hidden - shape_.hidden % S::width;
    const int rest = shape_.hidden - whole;
    const auto last = [&](Floats v) { return S::select_first(rest, v, S::zero()); };

    auto sum = S::zero();
    for (int i = 0; i < whole; i += S::width) sum = S::add(sum, S::load(x + i));
    if (rest) sum = S::add(sum, last(S::load(x + whole)));
    const auto mean = S::set1(S::sum(sum) / static_cast<float>(shape_.hidden));

    auto squares = S::zero();
    const auto add_square = [&](Floats d) { squares = S::fma(d, d, squares); };
    for (int i = 0; i < whole; i += S::width) add_square(S::sub(S::load(x + i), mean));
    if (rest) add_square(last(S::sub(S::load(x + whole), mean)));
    const float variance = S::sum(squares) / static_cast<float>(shape_.hidden);
    const auto inverse = S::set1(1 / sqrtf(variance + shape_.layer_norm_eps));

    for (int i = 0; i < width_; i += S::width) {
      const auto scaled = S::mul(S::sub(S::load(x + i), mean), inverse);
      auto y = S::fma(scaled, S::load(norm.weight + i), S::load(norm.bias + i));
      if (i >= whole) y = i == whole ? last(y) : S::zero();
      S::store(x + i, y);
      if constexpr (!P::scaled) P::store(row(w_.a, r, width_) + i, y);
    }
    if constexpr (P::scaled) w_.a_scales[r] = P::quantise(x, width_, row(w_.a, r, width_));
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
