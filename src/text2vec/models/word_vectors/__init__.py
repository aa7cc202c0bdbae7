"""Word vectors on disk: the word2vec text and binary files, and an index that maps them."""
