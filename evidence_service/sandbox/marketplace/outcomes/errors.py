"""Servers that answer, but not with the listing: errors, maintenance, limits, refused regions."""

from __future__ import annotations

from evidence_service.sandbox.marketplace.answer import respond
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document


def _error(
    name: str, language: str, rule: str, body: str, status: int, outcome: str = "http_error"
) -> Fixture:
    return Fixture(
        f"error-{name}",
        f"/fixtures/error-{name}",
        language,
        outcome,
        lambda _: respond(document("Morningbridge", body, language=language), status),
        rule=rule,
    )


ERRORS: tuple[Fixture, ...] = (
    _error("500", "en", "server-error", "<h1>Something went wrong</h1>", 500),
    _error("503", "en", "server-error", "<h1>We'll be back soon</h1>", 503),
    _error("429", "en", "rate-limit", "<h1>Too many requests</h1><p>Slow down.</p>", 429),
    _error("403", "en", "client-error", "<h1>Access Denied</h1><p>Reference #18.2d3</p>", 403),
    _error("maintenance", "en", "maintenance", "<h1>We are down for scheduled maintenance</h1>", 200),
    _error("502-zh", "zh-CN", "server-error", "<h1>网关错误</h1>", 502),
    _error("maintenance-zh", "zh-CN", "maintenance", "<h1>系统维护中，请稍后再来</h1>", 200),
    _error("429-zh", "zh-CN", "rate-limit", "<h1>请求过多，请稍后再试</h1>", 429),
    _error("403-zh", "zh-CN", "client-error", "<h1>禁止访问</h1>", 403),
    _error(
        "region",
        "en",
        "region-text",
        "<h1>Sorry</h1><p>This shop is not available in your country.</p>",
        200,
        "blocked",
    ),
    _error("region-status", "en", "region-status", "<h1>Unavailable for legal reasons</h1>", 451, "blocked"),
    _error("region-zh", "zh-CN", "region-text", "<p>您所在的地区暂不支持访问该商品</p>", 403, "blocked"),
)
