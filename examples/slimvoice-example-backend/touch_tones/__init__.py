"""Speech to text for the tones of telephone keys (ITU-T Q.23)."""

from slimvoice.backends.info import BackendInfo, Placement, Probe
from slimvoice.speech import Capabilities, Task

BACKEND = BackendInfo(
    task=Task.SPEECH_TO_TEXT,
    target="touch_tones.adapter:TouchTones",
    capabilities=Capabilities(word_timestamps=True),
    placement=Placement(max_slots=2),
    install="slimvoice-example-backend",
    licence="Apache-2.0",
    window_s=10,
    probe=Probe(clip="touch_tones.files:dialled"),
    detect="touch_tones.files:detect",
    takes="tables of touch tones (.json)",
    inspect="touch_tones.files:inspect",
)
