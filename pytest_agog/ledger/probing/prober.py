"""The prober: looks up what checks ask for, and appends the answers. It never raises; what it cannot see, it says."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pytest_agog.ledger import jetstream, monitor
from pytest_agog.ledger.answers import (
    AuthSeen,
    ConsumerSeen,
    FileSeen,
    HttpSeen,
    PageSeen,
    RowsSeen,
    StreamSeen,
    TableSeen,
)
from pytest_agog.ledger.facts import ProbeResult, ServerSeen
from pytest_agog.ledger.ledger import Ledger
from pytest_agog.ledger.payloads import Payloads
from pytest_agog.ledger.probes import (
    AuthProbe,
    ConsumerProbe,
    FileProbe,
    HttpProbe,
    MetricsProbe,
    PageProbe,
    Probe,
    RowsProbe,
    StreamProbe,
    TableProbe,
)
from pytest_agog.ledger.probing import metrics
from pytest_agog.ledger.probing.sites import Sites
from pytest_agog.ledger.probing.tables import Tables, Unanswered
from pytest_agog.masking import mask
from pytest_agog.wire.naming import CONTRACT, WireNames

if TYPE_CHECKING:
    import httpx
    from nats.aio.client import Client

    from pytest_agog.ledger.probing.pages import Pages
    from pytest_agog.ledger.probing.permissions import Permissions

LARGEST_FILE: Final = 64_000_000
"""Bytes of a file or an HTTP answer that are read."""
_PATIENCE: Final = 5.0
_NATS_PATIENCE: Final = 2.0
_NAME: Final = re.compile(r"[^\s.*>/\\\0]{1,255}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
"""Looked for by itself: taking a URL apart raises when its host is none, and that is the answer of whoever asks it."""
_NO_CONSUMER: Final = 10014
_WRONG_TOKEN: Final = "wrong-" + "0" * 32


class Prober:
    """Answers probes against one set of services; what is None is not there.

    `resolve` turns a scenario's path into a real one and refuses (with an AgogError) what leaves its data root. Probes
    and answers speak the contract's language; `names` says how the target calls those things.
    """

    def __init__(
        self,
        client: Client | None,
        monitor_url: str | None,
        postgres_dsn: str | None,
        http_base: str | Sites | None,
        resolve: Callable[[str], Path],
        pages: Pages | None = None,
        names: WireNames = CONTRACT,
        permissions: Permissions | None = None,
    ) -> None:
        self._client = client
        self._monitor_url = monitor_url
        self._tables = Tables(postgres_dsn) if postgres_dsn is not None else None
        self._sites = http_base if isinstance(http_base, Sites) else Sites(http_base)
        self._resolve = resolve
        self._pages = pages
        self._names = names
        self._permissions = permissions
        self._http: httpx.AsyncClient | None = None

    async def ask(self, probe: Probe, payloads: Payloads) -> ProbeResult:
        """The answer to `probe`; bytes go to `payloads`. Never raises: what failed is the answer's `reason`."""
        match probe:
            case StreamProbe():
                return await self._stream(probe)
            case ConsumerProbe():
                return await self._consumer(probe)
            case TableProbe():
                return await self._table(probe)
            case RowsProbe():
                return await self._rows(probe, payloads)
            case FileProbe():
                return await asyncio.to_thread(self._file, probe, payloads)
            case HttpProbe():
                return await self._request(probe, payloads)
            case PageProbe():
                if self._pages is None:
                    reason = "this play has no pages"
                    return PageSeen(probe.key, probe.target, probe.target, None, reason=reason)
                return await self._pages.look(probe, payloads)
            case MetricsProbe():
                return await metrics.look(probe, self._sites, self._http_client())
            case AuthProbe():
                if self._permissions is None:
                    reason = "this play has no NATS"
                    return AuthSeen(probe.key, probe.user, probe.operation, probe.on, (), reason=reason)
                return await self._permissions.ask(probe)

    async def refresh(self, ledger: Ledger, probes: Iterable[Probe]) -> int:
        """Ask all `probes` at once; append the answers that differ from the last ones. Returns how many did."""
        unique = {probe.key: probe for probe in probes}
        answers = await asyncio.gather(*(self.ask(probe, ledger.payloads) for probe in unique.values()))
        appended = await self._see_server(ledger)
        for answer in answers:
            before = ledger.answer(answer.probe, type(answer))
            if before is None or _essence(before) != _essence(answer):
                ledger.append(answer)
                appended += 1
        return appended

    async def _see_server(self, ledger: Ledger) -> int:
        """What the NATS server says of itself, where nobody has written that down."""
        if self._monitor_url is None or ledger.of(ServerSeen):
            return 0
        varz = await monitor.fetch(self._monitor_url, "/varz")
        if varz is None:
            return 0
        ledger.append(jetstream.server_seen(mask(self._monitor_url), varz))
        return 1

    async def close(self) -> None:
        """Let go of connections of its own (the NATS client belongs to the caller)."""
        if self._tables is not None:
            await self._tables.close()
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    # --- JetStream --------------------------------------------------------------------------------------------------
    async def _stream(self, probe: StreamProbe) -> StreamSeen:
        if not _NAME.fullmatch(probe.name):
            return StreamSeen(probe.key, probe.name, exists=False, reason="this is no name of a stream")
        question = b"" if probe.name.startswith("OBJ_") else jetstream.WITH_DELETED
        name = self._names.stream_of(probe.name)
        info, reason = await self._api(jetstream.stream_info(name), jetstream.STREAM_NOT_FOUND, question)
        return dataclasses.replace(jetstream.stream_seen(probe.name, info), reason=reason)

    async def _consumer(self, probe: ConsumerProbe) -> ConsumerSeen:
        if not (_NAME.fullmatch(probe.stream) and _NAME.fullmatch(probe.name)):
            return ConsumerSeen(
                probe.key, probe.stream, probe.name, exists=False, reason="this is no name of a consumer"
            )
        stream, name = self._names.stream_of(probe.stream), self._names.consumer_of(probe.stream, probe.name)
        info, reason = await self._api(jetstream.consumer_info(stream, name), _NO_CONSUMER)
        return dataclasses.replace(jetstream.consumer_seen(probe.stream, probe.name, info), reason=reason)

    async def _api(self, subject: str, absent: int, question: bytes = b"") -> tuple[dict[str, Any] | None, str]:
        """A JetStream answer, or None with the reason (empty when the thing is simply not there)."""
        if self._client is None:
            return None, "this play has no NATS"
        if not self._client.is_connected:
            return None, "NATS is not connected"
        try:
            reply = await self._client.request(subject, question, timeout=_NATS_PATIENCE)
            document = jetstream.parse(reply.data)
        except Exception as error:
            return None, _said("NATS does not answer", error)
        error_found = document.get("error")
        if error_found is None:
            return document, ""
        if error_found.get("err_code") in {absent, jetstream.STREAM_NOT_FOUND}:
            return None, ""
        return None, mask(str(error_found.get("description", error_found)))

    # --- Postgres ---------------------------------------------------------------------------------------------------
    async def _table(self, probe: TableProbe) -> TableSeen:
        if self._tables is None:
            return TableSeen(probe.key, probe.name, exists=False, reason="this play has no Postgres")
        try:
            shape = await self._tables.shape(self._names.table_of(probe.name), self._names.told_columns(probe.name))
        except Exception as error:
            return TableSeen(probe.key, probe.name, exists=False, reason=_said("Postgres", error))
        if shape is None:
            return TableSeen(probe.key, probe.name, exists=False)
        return TableSeen(probe.key, probe.name, exists=True, columns=shape.columns, indexes=shape.indexes)

    async def _rows(self, probe: RowsProbe, payloads: Payloads) -> RowsSeen:
        if self._tables is None:
            return RowsSeen(probe.key, probe.table, None, reason="this play has no Postgres")
        try:
            names = self._names
            rows = await self._tables.rows(names.table_of(probe.table), probe.columns, names.told_columns(probe.table))
        except Unanswered as error:
            return RowsSeen(probe.key, probe.table, None, reason=mask(str(error)))
        except Exception as error:
            return RowsSeen(probe.key, probe.table, None, reason=_said("Postgres", error))
        return RowsSeen(probe.key, probe.table, payloads.put(b"\n".join(rows)), count=len(rows))

    # --- files ------------------------------------------------------------------------------------------------------
    def _file(self, probe: FileProbe, payloads: Payloads) -> FileSeen:
        try:
            path = self._resolve(probe.path)
            if not path.exists():
                return FileSeen(probe.key, probe.path, exists=False)
            # A pipe or a device would block for ever, or never end.
            if not stat.S_ISREG(path.stat().st_mode):
                return FileSeen(probe.key, probe.path, exists=True, reason="this is no regular file")
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except Exception as error:  # also RuntimeError: a loop of links, before Python 3.13
            return FileSeen(probe.key, probe.path, exists=False, reason=mask(str(error)))
        if len(data) > LARGEST_FILE:
            return FileSeen(
                probe.key, probe.path, exists=True, reason=f"larger than {LARGEST_FILE // 10**6} MB; not read"
            )
        return FileSeen(probe.key, probe.path, exists=True, payload=payloads.put(data))

    # --- HTTP -------------------------------------------------------------------------------------------------------
    async def _request(self, probe: HttpProbe, payloads: Payloads) -> HttpSeen:
        url = probe.target
        sent = list(probe.headers)
        if _SCHEME.match(url) is None:
            whole = self._sites.url(url)
            if whole is None:
                return HttpSeen(probe.key, probe.method, url, None, reason="this play has no HTTP service")
            url = whole
            sent += self._token(probe)
        shown = mask(url)
        if not url.lower().startswith(("http://", "https://")):
            return HttpSeen(probe.key, probe.method, shown, None, reason="only http and https are asked")
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                self._http_client().stream(probe.method, url, headers=sent) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > LARGEST_FILE:
                        break
        except TimeoutError:
            reason = f"no answer: it was not complete within {_PATIENCE:g} s"
            return HttpSeen(probe.key, probe.method, shown, None, reason=reason)
        except Exception as error:
            return HttpSeen(probe.key, probe.method, shown, None, reason=_said("no answer", error))
        headers, status = dict(response.headers), response.status_code
        if len(body) > LARGEST_FILE:
            reason = f"the answer is larger than {LARGEST_FILE // 10**6} MB; not kept"
            return HttpSeen(probe.key, probe.method, shown, status, headers, reason=reason)
        return HttpSeen(probe.key, probe.method, shown, status, headers, payloads.put(bytes(body)))

    def _token(self, probe: HttpProbe) -> list[tuple[str, str]]:
        """The token goes to the play's own services only: never with a whole URL, which may be anybody's."""
        own = any(name.lower() == "authorization" for name, _ in probe.headers)
        if own or probe.access == "none" or self._sites.token is None:
            return []
        return [("Authorization", f"Bearer {self._sites.token if probe.access == 'given' else _WRONG_TOKEN}")]

    def _http_client(self) -> httpx.AsyncClient:
        import httpx

        if self._http is None:
            # The environment's proxies are not part of what is verified.
            self._http = httpx.AsyncClient(timeout=_PATIENCE, trust_env=False)
        return self._http


def _essence(answer: ProbeResult) -> ProbeResult:
    """The answer without what changes by itself: an HTTP answer's date."""
    if isinstance(answer, HttpSeen):
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
        return dataclasses.replace(answer, headers=headers)
    return answer


def _said(what: str, error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return mask(f"{what}: {text}")
