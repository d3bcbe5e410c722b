"""Text processing: sentences, chunking, normalization, voices, languages."""
