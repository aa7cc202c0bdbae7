# The tokenizer's sources; the caller links threads.
set(TEXT2VEC_TOKENIZER_SOURCES
  added_tokens.cpp batch.cpp bert_normalizer.cpp bindings.cpp charsmap.cpp code_points.cpp
  compact_file.cpp graphemes.cpp splitter.cpp stages.cpp tokenizer.cpp trie_builder.cpp
  unigram.cpp wordpiece.cpp)
list(TRANSFORM TEXT2VEC_TOKENIZER_SOURCES PREPEND "${CMAKE_CURRENT_LIST_DIR}/")
