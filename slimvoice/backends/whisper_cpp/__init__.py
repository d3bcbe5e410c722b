"""Speech to text on whisper.cpp."""
