"""What text-to-speech backends share: the pipeline, audio joins, word times, and ONNX Runtime."""

ONNX_RUNTIME_ENV = {"ORT_DISABLE_TELEMETRY": "1"}  # it phones home on Linux too since 1.31
ONNX_RUNTIME_CHECK = "slimvoice.backends.tts.onnx_checks:onnx_runtime"
