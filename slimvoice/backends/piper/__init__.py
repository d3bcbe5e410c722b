"""Text to speech with Piper voices on ONNX Runtime."""
