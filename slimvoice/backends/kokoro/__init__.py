"""Text to speech with Kokoro on ONNX Runtime."""
