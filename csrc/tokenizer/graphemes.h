// Extended grapheme clusters (UAX #29).
#pragma once

#include "code_points.h"

namespace text2vec::tokenizer {

// The end of the cluster that starts at `begin`; requires begin < end. What stands before `begin`
// does not matter as long as `begin` is itself a boundary.
const char* cluster_end(const char* begin, const char* end, const CodePoints& tables);

// Whether a code point is of class Other and takes part in no rule at all: between two such
// neighbours there is always a boundary, whatever surrounds them.
inline bool breaks_plainly(uint8_t break_class) { return break_class == 0; }

}  // namespace text2vec::tokenizer
