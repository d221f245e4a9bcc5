"""Gates before a listing: sign-in, age, app."""

from __future__ import annotations

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.answer import redirect, respond
from evidence_service.sandbox.marketplace.catalogue import BY_ID
from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.document import document


def _wall(name: str, language: str, rule: str, *, title: str, body: str, status: int = 200) -> Fixture:
    return Fixture(
        f"wall-{name}",
        f"/fixtures/wall-{name}",
        language,
        "auth_wall",
        lambda _: respond(document(title, body, language=language), status),
        rule=rule,
    )


def _over(name: str, number: str, rule: str, words: str) -> Fixture:
    """A dialog over a listing that is there, blurred."""
    item = BY_ID[number]
    overlay = (
        "<style>h1{filter:blur(8px)}</style>"
        '<div style="position:fixed;inset:0;background:#0006;z-index:99"><div role="dialog" aria-modal="true" '
        f'style="background:#fff;max-width:380px;margin:30vh auto;padding:24px">{words}</div></div>'
    )
    return Fixture(
        f"wall-{name}",
        f"/fixtures/wall-{name}",
        item.language,
        "auth_wall",
        lambda asked: respond(pages.listing(item, asked.origin, consent="", more=overlay)),
        rule=rule,
        browser=True,
    )


def _sent_to(name: str, language: str, where: str, title: str, body: str) -> tuple[Fixture, Fixture]:
    """A redirect, and the page it leads to: asked for by itself it is a wall as well."""
    return (
        Fixture(
            f"wall-{name}",
            f"/fixtures/wall-{name}",
            language,
            "auth_wall",
            lambda _: redirect(where),
            rule="login-redirect",
        ),
        Fixture(
            f"wall-{name}-target",
            where,
            language,
            "auth_wall",
            lambda _: respond(document(title, body, language=language)),
            rule="login-title",
        ),
    )


WALLS: tuple[Fixture, ...] = (
    *_sent_to(
        "redirect",
        "en",
        "/account/signin?next=%2Ffixtures",
        "Sign in or Register",
        "<h1>Hello</h1><form>E-mail <input name='u'><button>Continue</button></form>",
    ),
    *_sent_to(
        "redirect-zh",
        "zh-CN",
        "/member/login.jhtml?redirect=x",
        "登录 - 集市",
        "<p>扫码登录 密码登录 短信登录</p><canvas width='160' height='160'></canvas>",
    ),
    _wall("status", "en", "login-status", title="Unauthorized", body="<h1>401</h1>", status=401),
    _wall(
        "members",
        "en",
        "login-text",
        title="Morningbridge",
        body="<h1>Members only</h1><p>Please log in to see this item and its price.</p>",
        status=403,
    ),
    _wall(
        "password",
        "en",
        "password-page",
        title="Opening soon",
        body="<h1>Opening soon</h1><p>Enter store using password</p><form><input type='password'></form>",
    ),
    _wall(
        "text-zh",
        "zh-CN",
        "login-text",
        title="集市",
        body="<h1>温馨提示</h1><p>登录后即可查看该商品的价格与详情</p>",
    ),
    _wall(
        "app-zh",
        "zh-CN",
        "app-wall",
        title="集市",
        body="<p>该商品仅支持在客户端浏览</p><a>打开集市APP查看详情</a>",
    ),
    _wall(
        "app",
        "en",
        "app-wall",
        title="Morningbridge",
        body="<p>This item can only be seen on phones.</p><a>Open in the app</a>",
    ),
    _wall(
        "age", "en", "age-gate", title="Morningbridge", body="<h1>Are you over 18?</h1><button>Yes</button>"
    ),
    _wall(
        "age-zh",
        "zh-CN",
        "age-gate",
        title="集市",
        body="<h1>请确认：您是否已满18周岁？</h1><button>是</button>",
    ),
    _over(
        "modal",
        "100202",
        "login-dialog",
        "<h2>Sign in to continue</h2><input placeholder='E-mail'><button>Next</button>",
    ),
    _over(
        "modal-zh",
        "200101",
        "login-dialog",
        "<h2>请登录</h2><input placeholder='手机号'><button>下一步</button>",
    ),
    _over("modal-password", "100204", "password-dialog", "<h2>Welcome back</h2><input type='password'>"),
    _over("modal-age", "100201", "age-dialog", "<h2>You must be 18 to shop here</h2><button>I am</button>"),
)
