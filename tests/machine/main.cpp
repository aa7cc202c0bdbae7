// Runs the AMX kernels without an operating system, on an emulated processor that has tiles, and
// compares them with the vector kernels on the same processor.
//
// int8: sums are whole numbers and everything between the products is the same code as in
// avx512_bf16.cpp, so the states must be the same bits. Bochs 3.0 takes the bytes of TDPBSSD as
// unsigned, so the model's codes are never negative. bfloat16: sums may be rounded in another order.
#include <stddef.h>
#include <stdint.h>

#include "../../csrc/families.h"

using namespace text2vec;

extern "C" void* memset(void* to, int value, size_t count) {
  auto* bytes = static_cast<volatile unsigned char*>(to);
  for (size_t i = 0; i < count; i++) bytes[i] = static_cast<unsigned char>(value);
  return to;
}
extern "C" void* memcpy(void* to, const void* from, size_t count) {
  auto* out = static_cast<volatile unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  for (size_t i = 0; i < count; i++) out[i] = in[i];
  return to;
}
extern "C" float sqrtf(float x) {
  __asm__("sqrtss %0, %0" : "+x"(x));
  return x;
}

namespace {

constexpr uint16_t kSerialPort = 0x3f8, kShutdownPort = 0x8900;

void out(uint16_t port, uint8_t byte) { __asm__ volatile("outb %0, %1" ::"a"(byte), "Nd"(port)); }
uint8_t in(uint16_t port) {
  uint8_t byte;
  __asm__ volatile("inb %1, %0" : "=a"(byte) : "Nd"(port));
  return byte;
}
void open_serial_port() {  // 115200 baud, eight bits
  out(kSerialPort + 3, 0x80), out(kSerialPort, 1), out(kSerialPort + 1, 0), out(kSerialPort + 3, 3);
}
void print(const char* text) {
  for (; *text; text++) {
    while (!(in(kSerialPort + 5) & 0x20)) continue;
    out(kSerialPort, static_cast<uint8_t>(*text));
  }
}
void print(long value) {
  char digits[24];
  int at = 23;
  digits[at] = 0;
  const bool negative = value < 0;
  if (negative) value = -value;
  do digits[--at] = static_cast<char>('0' + value % 10);
  while (value /= 10);
  if (negative) digits[--at] = '-';
  print(digits + at);
}

// Zeroed memory that is never given back, from 64 MB on.
char* free_memory = reinterpret_cast<char*>(size_t{64} << 20);
template <class T>
T* allocate(size_t count) {
  free_memory += -reinterpret_cast<size_t>(free_memory) & 63;
  void* const piece = memset(free_memory, 0, count * sizeof(T));
  free_memory += count * sizeof(T) + 64;
  return static_cast<T*>(piece);
}

uint64_t seed;
float random_number(float size) {  // uniform, from Knuth's MMIX generator
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return size * (static_cast<float>(seed >> 40) / 8388608.0f - 1.0f);
}
float* random_numbers(size_t count, float size, float middle = 0) {
  float* const numbers = allocate<float>(count + kPad);
  for (size_t i = 0; i < count; i++) numbers[i] = middle + random_number(size);
  return numbers;
}

enum class Signs { both, positive };

Linear random_linear(const Engine& engine, int outputs, int inputs, Signs signs) {
  Matrix matrix;
  const float middle = signs == Signs::both ? 0 : 0.1f;
  matrix.parts[0] = random_numbers(static_cast<size_t>(outputs) * inputs, 0.1f, middle);
  matrix.part_outputs = matrix.outputs = outputs;
  matrix.inputs = matrix.stride = inputs;
  Linear linear;
  linear.outputs = round_up(outputs, kPad);
  linear.inputs = round_up(inputs, kPad);
  const auto padded = static_cast<size_t>(linear.outputs);
  void* const panels = allocate<char>(engine.panel_bytes(linear.outputs, linear.inputs));
  auto* const scales = allocate<float>(padded);
  auto* const start = allocate<int32_t>(padded);
  auto* const bias = allocate<float>(padded);
  for (int i = 0; i < outputs; i++) bias[i] = middle + random_number(0.1f);
  for (int first = 0; first < linear.outputs; first += kPad)
    engine.pack(matrix, first, linear.inputs, panels, scales, start);
  linear.panels = panels, linear.bias = bias, linear.scales = scales, linear.start = start;
  return linear;
}

void read_row(const void* rows, int64_t row, int width, float* to) {
  memcpy(to, static_cast<const float*>(rows) + row * width, sizeof(float) * width);
}

constexpr int kWords = 50, kTokens = 200;
constexpr int64_t kOffsets[] = {0, 1, 3, 18, 34, 51, 83, 116, 200};
constexpr int kTexts = 8;

const float* states(const Engine& engine, Shape shape, Signs signs) {
  seed = 1;
  shape.head_dim = shape.hidden / shape.heads;
  shape.width = round_up(shape.hidden, kPad);
  shape.qkv_width = round_up(3 * shape.hidden, kPad);
  shape.pieces = (shape.intermediate + kFeedForwardPiece - 1) / kFeedForwardPiece;
  shape.piece_width = round_up((shape.intermediate + shape.pieces - 1) / shape.pieces, kPad);
  const auto width = static_cast<size_t>(shape.width);
  const auto norm = [&] {  // positive: a small part of what is normalised, and more than that
    return signs == Signs::both ? Norm{random_numbers(width, 0.2f, 1), random_numbers(width, 0.1f)}
                                : Norm{random_numbers(width, 0.01f, 0.02f), random_numbers(width, 0.2f, 1)};
  };
  const auto linear = [&](int outputs, int inputs) {
    return random_linear(engine, outputs, inputs, signs);
  };

  Model model;
  model.shape = shape;
  model.words = {random_numbers(static_cast<size_t>(kWords * shape.hidden), 1), read_row};
  model.positions = random_numbers(static_cast<size_t>(shape.max_positions) * width, 0.2f);
  model.embedding_norm = norm();
  auto* const layers = allocate<Layer>(static_cast<size_t>(shape.layers));
  for (int i = 0; i < shape.layers; i++) {
    auto* const up = allocate<Linear>(static_cast<size_t>(shape.pieces));
    auto* const down = allocate<Linear>(static_cast<size_t>(shape.pieces));
    for (int piece = 0; piece < shape.pieces; piece++) {
      const int rest = shape.intermediate - piece * shape.piece_width;
      const int size = rest < shape.piece_width ? rest : shape.piece_width;
      up[piece] = linear(size, shape.hidden);
      down[piece] = linear(shape.hidden, size);
    }
    layers[i] = {linear(3 * shape.hidden, shape.hidden),
                 linear(shape.hidden, shape.hidden), up, down, norm(), norm()};
  }
  model.layers = layers;

  auto* const ids = allocate<int32_t>(kTokens);
  for (int i = 0; i < kTokens; i++) ids[i] = (i * 7 + 3) % kWords;
  const Block block{ids, kOffsets, kTexts};
  void* const workspace = allocate<char>(engine.workspace_bytes(shape, kTokens));
  return engine.forward(model, block, kTokens, workspace, nullptr);
}

// Millionths of the largest state by which two engines differ, and whether all bits are the same.
bool compare(const Engine& one, const Engine& other, const Shape& shape, Signs signs,
             bool same_bits, long millionths) {
  const int width = round_up(shape.hidden, kPad);
  const float* const a = states(one, shape, signs);
  const float* const b = states(other, shape, signs);
  float largest = 0, difference = 0;
  long different = 0;
  for (int i = 0; i < kTokens * width; i++) {
    const float size = b[i] < 0 ? -b[i] : b[i], gap = a[i] < b[i] ? b[i] - a[i] : a[i] - b[i];
    if (!(gap <= difference)) difference = gap;
    if (size > largest) largest = size;
    different += a[i] != b[i];
  }
  const long found = static_cast<long>(1e6f * difference / largest);
  const bool good = largest > 1 && found <= millionths && !(same_bits && different);
  print(good ? "ok    " : "WRONG ");
  print(one.family), print("/"), print(one.variant), print(" and ");
  print(other.family), print("/"), print(other.variant), print(", hidden ");
  print(shape.hidden), print(one.dtype == Dtype::int8 ? ", int8" : ", bfloat16");
  print(signs == Signs::both ? ": " : ", positive: ");
  print(different), print(" numbers differ, by ");
  print(found), print(" millionths of the largest at most\n");
  return good;
}

Shape make_shape(int hidden, int heads, int intermediate, Activation activation) {
  Shape shape;
  shape.hidden = hidden, shape.heads = heads, shape.intermediate = intermediate;
  shape.layers = 2, shape.vocab_size = kWords, shape.max_positions = 256;
  shape.position_offset = 2, shape.layer_norm_eps = 1e-12f, shape.activation = activation;
  return shape;
}

}  // namespace

extern "C" void run() {
  open_serial_port();
  const Shape shapes[] = {make_shape(64, 4, 96, Activation::gelu),
                          make_shape(120, 1, 520, Activation::relu),
                          make_shape(384, 12, 1536, Activation::gelu)};
  bool good = true;
  for (const Shape& shape : shapes) {
    good &= compare(amx_int8, avx512_bf16_int8, shape, Signs::positive, true, 0);
    good &= compare(amx_bfloat16, avx512_bf16_bfloat16, shape, Signs::both, false, 10000);
  }
  print(good ? "all as expected\n" : "NOT as expected\n");
  for (const char* c = "Shutdown"; *c; c++) out(kShutdownPort, static_cast<uint8_t>(*c));
}
