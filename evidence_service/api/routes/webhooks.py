"""Webhooks: where an organisation wants to be told of events, as Standard Webhooks has it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from evidence_service.api.auth import Principal, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id
from evidence_service.api.paging import cut
from evidence_service.errors import RefusedError
from evidence_service.service import standard_webhooks
from evidence_service.service.deliver import check_endpoint
from evidence_service.service.parts import Parts
from evidence_service.store.administration import Action, Change
from evidence_service.store.webhooks import Delivery, Webhook

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

Member = Annotated[Principal, may("organisation:read")]
Administrator = Annotated[Principal, may("organisation:manage")]
Limit = Annotated[int, Query(ge=1, le=200)]

EventType = Literal[
    "evidence.accepted",
    "evidence.captured",
    "evidence.sealed",
    "evidence.stamped",
    "evidence.registered",
    "evidence.anchored",
    "evidence.certified",
    "evidence.stopped",
    "certificate.refused",
    "certificate.released",
    "certificate.superseded",
    "certificate.withdrawn",
    "exhibit.made",
    "exhibit.refused",
]
Address = Annotated[str, Field(min_length=1, max_length=2000, description="https, and public")]
Types = Annotated[list[EventType], Field(max_length=20, description="Of the events; empty: all of them")]


class NewWebhook(BaseModel):
    """An endpoint."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://example.com/evidence",
                    "types": ["evidence.certified", "certificate.refused", "evidence.stopped"],
                }
            ]
        },
    )

    url: Address = Field(repr=False)
    types: Types = Field(default_factory=list)


class ChangedWebhook(BaseModel):
    """What is to be otherwise."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"types": ["exhibit.made"], "enabled": True}]}
    )

    url: Address | None = Field(default=None, repr=False)
    types: Types | None = None
    enabled: bool | None = Field(
        default=None, description="false: told nothing any more; true: told what happens from now on"
    )


class Replay(BaseModel):
    """From where on events are told again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"after": 812}]})

    after: int | None = Field(default=None, ge=0, le=2**53 - 1, description="Position of an event")
    since: AwareDatetime | None = None


class WebhookView(BaseModel):
    """Where a webhook stands; not its secret."""

    id: str
    url: str
    types: list[str]
    created_at: datetime
    disabled_at: datetime | None
    reason: str = Field(description="Why it is disabled")
    failures: int = Field(description="Failed attempts in a row")
    delivered_at: datetime | None = Field(description="When it last took an event")
    previous_secret_until: datetime | None = Field(description="Until when the secret before signs too")

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        """The view of a record."""
        return cls(
            id=webhook.id,
            url=webhook.url,
            types=list(webhook.types),
            created_at=webhook.created_at,
            disabled_at=webhook.disabled_at,
            reason=webhook.reason,
            failures=webhook.failures,
            delivered_at=webhook.delivered_at,
            previous_secret_until=max((until for _, until in webhook.previous), default=None),
        )


class SecretView(WebhookView):
    """A webhook and its new secret."""

    secret: str = Field(repr=False, description="whsec_…; shown this once")


class WebhookPage(BaseModel):
    """Some webhooks, and where to go on."""

    items: list[WebhookView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


class DeliveryView(BaseModel):
    """What became of telling an endpoint of an event."""

    position: int
    message_id: str = Field(description="As in the header webhook-id")
    type: str
    state: str = Field(description="pending → delivered | failed | gone")
    attempt: int = Field(description="Attempts begun")
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None = Field(description="Of HTTP; null where there was no answer")
    problem: str

    @classmethod
    def of(cls, webhook_id: str, delivery: Delivery) -> Self:
        """The view of a record."""
        members = {name: getattr(delivery, name) for name in Delivery.__slots__}
        return cls(message_id=standard_webhooks.message_id(webhook_id, delivery.position), **members)


class DeliveryPage(BaseModel):
    """Some deliveries, and where to go on."""

    items: list[DeliveryView]
    next: int | None = Field(description="Give it as “before” for the next page; null on the last")


class ReplayView(BaseModel):
    """What was queued again."""

    queued: int
    next: int | None = Field(description="Give it as “after” for those that were too many; null for none")


@router.post("", status_code=201)
def add_webhook(
    new: NewWebhook, caller: Administrator, parts: Wired, idempotency_key: IdempotencyKey = None
) -> SecretView:
    """Register an endpoint. Its secret is shown in this answer and never again."""
    check_endpoint(new.url, parts.capturing.policy)
    # The answer is not kept for a repetition: the secret would be kept with it.
    webhook_id = new_id("wh", caller, idempotency_key)
    secret, sealed = _secret(parts, webhook_id)
    noted = _noted(parts, caller, "add_webhook", webhook_id, url=new.url, types=new.types)
    parts.webhooks.add(webhook_id, new.url, new.types, sealed, now=parts.now(), noted=noted)
    return _shown(parts, webhook_id, secret)


@router.get("")
def list_webhooks(_: Member, parts: Wired, after: str | None = None, limit: Limit = 50) -> WebhookPage:
    """The organisation's webhooks, by id."""
    found = parts.webhooks.all(after=after or "", limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return WebhookPage(items=[WebhookView.of(item) for item in page], next=more)


@router.get("/{webhook_id}")
def show_webhook(webhook_id: str, _: Member, parts: Wired) -> WebhookView:
    """Where a webhook stands."""
    return WebhookView.of(parts.webhooks.webhook(webhook_id))


@router.patch("/{webhook_id}")
def change_webhook(
    webhook_id: str, change: ChangedWebhook, caller: Administrator, parts: Wired
) -> WebhookView:
    """Change an endpoint's address or types, disable it or enable it again."""
    if change.url is not None:
        check_endpoint(change.url, parts.capturing.policy)
    columns = {name: value for name in ("url", "types") if (value := getattr(change, name)) is not None}
    if columns:
        noted = _noted(parts, caller, "change_webhook", webhook_id, **columns)
        parts.webhooks.change(webhook_id, noted=noted, **columns)
    if change.enabled is not None:
        noted = _noted(parts, caller, "change_webhook", webhook_id, enabled=change.enabled)
        if change.enabled:
            parts.webhooks.enable(webhook_id, noted=noted)
        else:
            reason = f"disabled by {caller.actor}"
            parts.webhooks.disable(webhook_id, reason, now=parts.now(), noted=noted)
    return WebhookView.of(parts.webhooks.webhook(webhook_id))


@router.delete("/{webhook_id}", status_code=204)
def delete_webhook(webhook_id: str, caller: Administrator, parts: Wired) -> Response:
    """Forget an endpoint and what became of telling it."""
    parts.webhooks.delete(webhook_id, noted=_noted(parts, caller, "delete_webhook", webhook_id))
    return Response(status_code=204)


@router.post("/{webhook_id}/rotate")
def rotate_secret(
    webhook_id: str,
    caller: Administrator,
    parts: Wired,
    overlap_hours: Annotated[
        float, Query(ge=0, le=168, description="How long the secret before signs too")
    ] = 24,
) -> SecretView:
    """Give an endpoint another secret. For a while both sign every request."""
    secret, sealed = _secret(parts, webhook_id)
    now = parts.now()
    noted = _noted(parts, caller, "rotate_webhook", webhook_id)
    parts.webhooks.rotate(
        webhook_id, sealed, until=now + timedelta(hours=overlap_hours), now=now, noted=noted
    )
    return _shown(parts, webhook_id, secret)


@router.post("/{webhook_id}/test", status_code=202)
def try_webhook(webhook_id: str, caller: Administrator, parts: Wired) -> WebhookView:
    """Send an endpoint an event of type “webhook.test”; its deliveries say what became of it."""
    view = WebhookView.of(parts.webhooks.webhook(webhook_id))
    parts.events.try_webhook(caller.organisation, webhook_id)
    return view


@router.get("/{webhook_id}/deliveries")
def list_deliveries(
    webhook_id: str,
    _: Member,
    parts: Wired,
    before: Annotated[int | None, Query(ge=1, le=2**53 - 1, description="“next” of the page before")] = None,
    limit: Limit = 50,
) -> DeliveryPage:
    """What became of telling an endpoint of events, the newest first."""
    parts.webhooks.webhook(webhook_id)
    found = parts.webhooks.deliveries(webhook_id, before=before, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.position)
    return DeliveryPage(items=[DeliveryView.of(webhook_id, item) for item in page], next=more)


@router.post("/{webhook_id}/replay", status_code=202)
def replay_events(webhook_id: str, replay: Replay, caller: Administrator, parts: Wired) -> ReplayView:
    """Tell an endpoint again what happened, under the same message ids."""
    parts.webhooks.webhook(webhook_id)
    if (replay.after is None) == (replay.since is None):
        raise RefusedError("nothing says from where", what_to_do="give one of “after” and “since”")
    start = replay.model_dump(mode="json", exclude_none=True)
    noted = _noted(parts, caller, "replay_events", webhook_id, **start)
    queued, more = parts.webhooks.replay(
        webhook_id, after=replay.after or 0, since=replay.since, now=parts.now(), noted=noted
    )
    return ReplayView(queued=queued, next=more)


def _noted(parts: Parts, caller: Principal, action: Action, webhook_id: str, **detail: Any) -> Change:
    """For the log of administrators; of an address, which may hold a secret, where it is."""
    if "url" in detail:
        detail["host"] = urlsplit(detail.pop("url")).hostname
    return Change(action, caller.actor, webhook_id, parts.now(), detail)


def _secret(parts: Parts, webhook_id: str) -> tuple[bytes, bytes]:
    """A new secret, and the same sealed."""
    secret = standard_webhooks.new_secret(parts.random_bytes)
    return secret, parts.sealing_key.seal_secret(webhook_id, secret, parts.random_bytes)


def _shown(parts: Parts, webhook_id: str, secret: bytes) -> SecretView:
    view = WebhookView.of(parts.webhooks.webhook(webhook_id))
    return SecretView(**view.model_dump(), secret=standard_webhooks.shown(secret))
