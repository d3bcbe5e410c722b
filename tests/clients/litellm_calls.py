"""Runs in LiteLLM's own environment: reads calls as JSON lines, answers each with what the library returned or raised.

Depends on nothing of slimvoice: it is a client.
"""

import base64
import json
import sys
from typing import Any

import litellm

FUNCTIONS = {"transcription": litellm.transcription, "speech": litellm.speech}


def answer(call: dict[str, Any]) -> dict[str, Any]:
    """Call the library; audio goes in and comes out as base64."""
    arguments = dict(call["arguments"])
    if "file" in arguments:
        arguments["file"] = ("a.wav", base64.b64decode(arguments["file"]))
    try:
        result = FUNCTIONS[call["function"]](**arguments)
    except Exception as error:
        return {
            "raised": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "message": str(error),
            "headers": dict(error.response.headers) if getattr(error, "response", None) is not None else {},
        }
    if call["function"] == "speech":
        return {"audio": base64.b64encode(result.content).decode()}
    return result.model_dump(mode="json")


for line in sys.stdin:
    print("answer: " + json.dumps(answer(json.loads(line))), flush=True)
