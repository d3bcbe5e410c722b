"""`python -m touch_tones KEYS FILE.wav`: record keys being pressed."""

import sys
import wave

from touch_tones.files import dialled

if __name__ == "__main__":
    waveform = dialled(sys.argv[1])
    with wave.open(sys.argv[2], "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(waveform.sample_rate)
        file.writeframes(waveform.pcm)
