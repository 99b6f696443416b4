"""Series in Prometheus's text format: NATS's monitoring, parts, distributions, this process. [C11]

Each service has a registry of its own and never the client library's global one: two services in one process would
otherwise tell of each other. What is known to exist is 0 from the start, so that no rule looks at what is absent. [J26]
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pytest_agog.reference.observing.beats import OUTCOMES, Member
from pytest_agog.reference.observing.distribution import Distribution
from pytest_agog.reference.observing.nats_monitor import NatsMonitor

_SERVER_GAUGES = (
    ("agog_nats_server_cpu_percent", "cpu", "Processor use of a nats-server; 100 is one core."),
    ("agog_nats_server_memory_bytes", "mem", "Resident memory of a nats-server."),
    ("agog_nats_server_connections", "connections", "Clients that are connected to a nats-server."),
)
_SERVER_COUNTERS = (
    (
        "agog_nats_server_slow_consumers",
        "slow_consumers",
        "Connections that a nats-server cut because they read slowly.",
    ),
    ("agog_nats_server_received_messages", "in_msgs", "Messages that a nats-server was sent."),
    ("agog_nats_server_sent_messages", "out_msgs", "Messages that a nats-server sent."),
)


@dataclass(frozen=True, eq=False)
class Series(Collector):
    """What a service says of its surroundings."""

    monitor: NatsMonitor
    parts: Mapping[str, float]
    """1, 0, or NaN for what nobody can tell."""
    distributions: Sequence[tuple[str, str, Distribution]] = ()
    """Name, what it is, and what was counted."""
    members: Sequence[Member] | None = None
    """Who gave signs of life; None where nobody listens for them."""

    def collect(self) -> Iterator[Metric]:
        """All families."""
        up = GaugeMetricFamily(
            "agog_part_up", "Whether a part of the system works, as this service sees it.", labels=["part"]
        )
        for part, state in self.parts.items():
            up.add_metric([part], state)
        yield up
        for name, about, counted in self.distributions:
            yield HistogramMetricFamily(name, about, buckets=_buckets(counted), sum_value=counted.sum)
        if self.members is not None:
            yield from _members(self.members)
        if self.monitor.urls:
            yield from self._servers()
            yield from self._streams()

    def _servers(self) -> Iterable[Metric]:
        servers = list(self.monitor.servers.items())
        up = GaugeMetricFamily(
            "agog_nats_monitor_up", "Whether a nats-server answers at its monitoring address.", labels=["url"]
        )
        for url, one in servers:
            up.add_metric([_shown(url)], int(one.up))
        yield up
        for name, of, about in _SERVER_GAUGES:
            gauge = GaugeMetricFamily(name, about, labels=["url"])
            for url, one in servers:
                gauge.add_metric([_shown(url)], one.number(of))
            yield gauge
        for name, of, about in _SERVER_COUNTERS:
            counter = CounterMetricFamily(name, about, labels=["url"])
            for url, one in servers:
                counter.add_metric([_shown(url)], one.number(of))
            yield counter

    def _streams(self) -> Iterable[Metric]:
        streams = self.monitor.streams()
        by_stream = ["stream"]
        held = GaugeMetricFamily("agog_nats_stream_messages", "Messages that a stream holds.", labels=by_stream)
        size = GaugeMetricFamily("agog_nats_stream_bytes", "Storage that a stream takes.", labels=by_stream)
        stored = CounterMetricFamily(
            "agog_nats_stream_published", "Messages ever stored on a stream.", labels=by_stream
        )
        both = ["stream", "consumer"]
        there = GaugeMetricFamily("agog_nats_consumer_exists", "Whether a consumer is there.", labels=both)
        pending = GaugeMetricFamily(
            "agog_nats_consumer_pending", "Messages that a consumer has not delivered.", labels=both
        )
        unacked = GaugeMetricFamily(
            "agog_nats_consumer_ack_pending", "Messages delivered and not acknowledged.", labels=both
        )
        again = GaugeMetricFamily(
            "agog_nats_consumer_redelivered", "Unacknowledged messages that were delivered more than once.", labels=both
        )
        lag = GaugeMetricFamily(
            "agog_nats_consumer_lag", "What is pending and what is unacknowledged. [J25]", labels=both
        )
        for stream in streams:
            held.add_metric([stream.name], stream.messages)
            size.add_metric([stream.name], stream.bytes)
            stored.add_metric([stream.name], stream.last_sequence)
            for one in stream.consumers:
                labels = [one.stream, one.name]
                there.add_metric(labels, math.nan if one.exists is None else int(one.exists))
                pending.add_metric(labels, one.pending)
                unacked.add_metric(labels, one.ack_pending)
                again.add_metric(labels, one.redelivered)
                lag.add_metric(labels, one.pending + one.ack_pending)
        return held, size, stored, there, pending, unacked, again, lag


def _members(members: Sequence[Member]) -> Iterable[Metric]:
    """What listeners and orchestrators say of themselves."""
    both, listener = ["part", "member"], ["listener"]
    up = GaugeMetricFamily("agog_member_up", "Whether one of several still gives signs of life.", labels=both)
    memory = GaugeMetricFamily("agog_member_memory_bytes", "Resident memory of a process.", labels=both)
    cpu = CounterMetricFamily("agog_member_cpu_seconds", "Processor time of a process.", labels=both)
    running = GaugeMetricFamily("agog_listener_running", "Agents that a listener runs.", labels=listener)
    started = CounterMetricFamily("agog_listener_started", "Agents that a listener started.", labels=listener)
    ended = CounterMetricFamily(
        "agog_listener_ended", "Attempts of a listener by how they ended.", labels=[*listener, "outcome"]
    )
    for one in members:
        beat = one.beat
        up.add_metric([beat.kind, beat.name], int(one.alive))
        memory.add_metric([beat.kind, beat.name], beat.memory if one.alive else 0)
        cpu.add_metric([beat.kind, beat.name], beat.cpu_seconds)
        if beat.kind == "listener":
            running.add_metric([beat.name], beat.running if one.alive else 0)
            started.add_metric([beat.name], beat.started)
            for outcome in OUTCOMES:
                ended.add_metric([beat.name, outcome], beat.ended.get(outcome, 0))
    return up, memory, cpu, running, started, ended


def told(series: Series) -> str:
    """All of it, and this process's memory and processor time, as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(series)
    ProcessCollector(registry=registry)
    return generate_latest(registry).decode()


def _buckets(counted: Distribution) -> list[tuple[str, float]]:
    edges = ["+Inf" if math.isinf(edge) else f"{edge:g}" for edge in counted.edges]
    return list(zip(edges, counted.cumulative(), strict=True))


def _shown(url: str) -> str:
    """Without who and how; an address may hold a password."""
    return url.rpartition("@")[2].removeprefix("http://").removeprefix("https://").rstrip("/")
