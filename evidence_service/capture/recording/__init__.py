"""The recording proxy, a process of its own: ``python -m evidence_service.capture.recording``.

The capture's process starts it with :class:`evidence_service.capture.recorder.Recorder` and reads its journal
(:mod:`evidence_service.capture.exchange`). Bytes of hostile servers are parsed here and nowhere else.
"""
