"""Every metric of the engine and of the cache, in Prometheus' terms.

Labels are names of models, devices and causes: few, and ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_S = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_RATIO = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10)


class EngineMetrics:
    """What the engine measures; each method records one fact."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        own = self.registry
        self._jobs = Counter(
            "slimvoice_jobs_total",
            "Jobs by how they ended: done, cancelled by the client, or the code of an error.",
            ["model", "outcome"],
            registry=own,
        )
        self._audio = Counter("slimvoice_audio_seconds_total", "Seconds of sound worked on.", ["model"], registry=own)
        self._compute = Counter("slimvoice_compute_seconds_total", "Seconds of steps.", ["model"], registry=own)
        self._load = Histogram(
            "slimvoice_load_seconds", "From starting a worker to ready.", ["model"], buckets=_LATENCY_S, registry=own
        )
        self._queue = Histogram(
            "slimvoice_wait_seconds", "Waiting for a loaded model.", ["model"], buckets=_LATENCY_S, registry=own
        )
        self._step = Histogram(
            "slimvoice_step_seconds", "One window or sentence.", ["model"], buckets=_LATENCY_S, registry=own
        )
        self._first = Histogram(
            "slimvoice_first_result_seconds",
            "From the job's start to its first event: first segment, first audio.",
            ["model"],
            buckets=_LATENCY_S,
            registry=own,
        )
        self._pace = Histogram(
            "slimvoice_realtime_factor", "Compute seconds per second of sound.", ["model"], buckets=_RATIO, registry=own
        )
        self._waiting = Gauge("slimvoice_queue_length", "Requests beyond the slots.", ["model"], registry=own)
        self._memory = Gauge(
            "slimvoice_model_memory_bytes", "Most memory a loaded model has held.", ["model", "device"], registry=own
        )
        self._unloads = Counter(
            "slimvoice_unloads_total", "Models unloaded: keep-alive, memory, asked.", ["model", "why"], registry=own
        )
        self._failures = Counter(
            "slimvoice_worker_failures_total", "Workers that failed, by cause.", ["model", "cause"], registry=own
        )
        self._retries = Counter("slimvoice_retries_total", "Jobs tried again, unseen.", ["model"], registry=own)
        self._rejections = Counter(
            "slimvoice_rejections_total", "Requests refused: queue, failed.", ["model", "why"], registry=own
        )

    def loaded(self, model: str, seconds: float) -> None:
        """Count a load."""
        self._load.labels(model).observe(seconds)

    def unloaded(self, model: str, device: str, why: str) -> None:
        """Count an unload; its memory is back."""
        self._unloads.labels(model, why).inc()
        self._memory.labels(model, device).set(0)

    def memory(self, model: str, device: str, memory_bytes: int) -> None:
        """Set what a model holds."""
        self._memory.labels(model, device).set(memory_bytes)

    def waited(self, model: str, seconds: float) -> None:
        """Count the wait of one job for its model."""
        self._queue.labels(model).observe(seconds)

    def waiting(self, model: str, count: int) -> None:
        """Set the length of a queue."""
        self._waiting.labels(model).set(count)

    def ended(self, model: str, outcome: str) -> None:
        """Count a job that was admitted."""
        self._jobs.labels(model, outcome).inc()

    def job_done(self, model: str, *, audio_s: float, steps_s: Sequence[float], first_s: float | None) -> None:
        """Measure a job that ended well, with its steps."""
        self._audio.labels(model).inc(audio_s)
        self._compute.labels(model).inc(sum(steps_s))
        for seconds in steps_s:
            self._step.labels(model).observe(seconds)
        if first_s is not None:
            self._first.labels(model).observe(first_s)
        if audio_s > 0:
            self._pace.labels(model).observe(sum(steps_s) / audio_s)

    def failed(self, model: str, cause: str) -> None:
        """Count a worker that ended without being asked."""
        self._failures.labels(model, cause).inc()

    def retried(self, model: str) -> None:
        """Count a job that starts over on a new worker."""
        self._retries.labels(model).inc()

    def rejected(self, model: str, why: str) -> None:
        """Count a request refused before it began."""
        self._rejections.labels(model, why).inc()


class SpeechCacheMetrics:
    """What the cache of finished speech counts."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._requests = Counter(
            "slimvoice_speech_cache_requests_total",
            "Texts to speak by whether their speech was kept: hit, miss.",
            ["outcome"],
            registry=registry or CollectorRegistry(),
        )

    def asked(self, *, hit: bool) -> None:
        """Count a request."""
        self._requests.labels("hit" if hit else "miss").inc()
