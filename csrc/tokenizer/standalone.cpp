// The module with the tokenizer alone, for building and testing it by itself.
#include "bindings.h"

NB_MODULE(_native, module) { bind_tokenizer(module); }
