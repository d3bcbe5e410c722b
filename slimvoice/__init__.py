"""slimvoice: speech to text and text to speech behind the OpenAI Audio API, on compiled runtimes."""

__version__ = "0.2.0"
