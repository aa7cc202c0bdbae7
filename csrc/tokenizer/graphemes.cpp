#include "graphemes.h"

namespace text2vec::tokenizer {
namespace {

// The low four bits of a break class, then a bit and a two-bit field; as in make_unicode_tables.py.
enum Class : uint8_t {
  kOther, kCR, kLF, kControl, kExtend, kZWJ, kRegional, kPrepend, kSpacingMark, kL, kV, kT, kLV, kLVT
};
constexpr uint8_t kClassMask = 0x0F, kPictographic = 0x10, kConjunctMask = 0x60;
constexpr uint8_t kConjunctConsonant = 0x20, kConjunctExtend = 0x40, kConjunctLinker = 0x60;

bool is_control(uint8_t c) { return c == kCR || c == kLF || c == kControl; }

bool joins_hangul(uint8_t before, uint8_t after) {
  if (before == kL) return after == kL || after == kV || after == kLV || after == kLVT;  // GB6
  if (before == kLV || before == kV) return after == kV || after == kT;                  // GB7
  return (before == kLVT || before == kT) && after == kT;                                // GB8
}

// What the cluster so far says about the rules that look further back than one code point.
class Context {
 public:
  explicit Context(uint8_t first) { add(first); }

  // Whether the code point of class `next` belongs to the cluster.
  bool joins(uint8_t next) const {
    const uint8_t c = next & kClassMask;
    if (last_ == kCR && c == kLF) return true;                       // GB3
    if (is_control(last_) || is_control(c)) return false;            // GB4, GB5
    if (joins_hangul(last_, c)) return true;                         // GB6 to GB8
    if (c == kExtend || c == kZWJ || c == kSpacingMark) return true;  // GB9, GB9a
    if (last_ == kPrepend) return true;                              // GB9b
    if (linked_ && (next & kConjunctMask) == kConjunctConsonant) return true;   // GB9c
    if (last_ == kZWJ && pictograph_ && (next & kPictographic)) return true;    // GB11
    return c == kRegional && last_ == kRegional && odd_regionals_;   // GB12, GB13
  }

  void add(uint8_t next) {
    const uint8_t c = next & kClassMask;
    odd_regionals_ = c == kRegional && !(last_ == kRegional && odd_regionals_);
    // A pictograph is remembered through Extend* ZWJ, and no further than the ZWJ.
    pictograph_ = (next & kPictographic) ||
                  (pictograph_ && last_ != kZWJ && (c == kExtend || c == kZWJ));
    const uint8_t conjunct = next & kConjunctMask;
    if (conjunct == kConjunctConsonant) {
      consonant_ = true;
      linked_ = false;
    } else if (conjunct == kConjunctLinker) {
      linked_ = consonant_;
    } else if (conjunct != kConjunctExtend) {
      consonant_ = linked_ = false;
    }
    last_ = c;
  }

 private:
  uint8_t last_ = kOther;
  bool odd_regionals_ = false, pictograph_ = false, consonant_ = false, linked_ = false;
};

}  // namespace

const char* cluster_end(const char* begin, const char* end, const CodePoints& tables) {
  DecodedChar next = decode(begin, end);
  const char* p = begin + next.size;
  Context context(tables.break_class(next.code));
  while (p < end) {
    next = decode(p, end);
    const uint8_t break_class = tables.break_class(next.code);
    if (!context.joins(break_class)) break;
    context.add(break_class);
    p += next.size;
  }
  return p;
}

}  // namespace text2vec::tokenizer
