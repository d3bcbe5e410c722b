"""What speech-to-text backends share: loudness, windows of speech, the segmenter that cuts them."""
