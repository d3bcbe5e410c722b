"""The suite that every backend must pass: `python -m slimvoice.backends.conformance NAME`.

What it demands follows from the capabilities of the model. It runs on pytest, which slimvoice does not bring.
"""
