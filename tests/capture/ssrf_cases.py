"""Ways to make a capture connect to where it must not: addresses, names, redirects, and everything a page can do.

Every case's target has the path ``/leak/NAME``, by which the attempt is found in the record. ``{leak}`` stands
for that address on a forbidden host, ``{path}`` for the path alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.capture.ssrf_world import OWN, OWN6, PUBLIC, PUBLIC6

Zone = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One way.

    Attributes:
        seen: ``recorder``: the attempt reaches the recorder, which refuses it. ``browser``: the browser itself
            does not let it out, or never through a proxy; the page says that it tried.
        url: what is opened; empty for the case's own page.
        page: body of that page; ``head``: further headers of its response; ``status``: its status line.
        short: part of the form that runs with every change.
        secure: the page and its target are had over TLS: a secure context, in which more can be done.
    """

    name: str
    seen: str = "recorder"
    url: str = ""
    page: str = ""
    head: str = ""
    status: str = "200 OK"
    kind: str = "text/html"
    short: bool = False
    secure: bool = False


FORMS = {
    "loopback": "127.0.0.1", "loopback-2": "127.0.0.2", "loopback-last": "127.255.255.254",
    "localhost": "localhost", "localhost-dot": "localhost.", "sub-localhost": "shop.localhost",
    "zero": "0.0.0.0", "zero-short": "0", "decimal": "2130706433", "hexadecimal": "0x7f000001",
    "octal": "0177.0.0.1", "octal-whole": "017700000001", "short": "127.1", "mixed": "0x7f.0.0x1",
    "dot": "127.0.0.1.", "enclosed": "①②⑦.⓪.⓪.①", "full-width": "１２７。０。０。１",
    "percent": "%31%32%37.0.0.1", "metadata": "169.254.169.254", "metadata-decimal": "2852039166",
    "private-10": "10.0.0.1", "private-172": "172.16.0.1", "private-192": "192.168.1.1",
    "carrier": "100.100.100.200", "assignments": "192.0.0.192", "benchmark": "198.18.0.1",
    "cloud-platform": "168.63.129.16", "documentation": "203.0.113.1", "multicast": "224.0.0.251",
    "broadcast": "255.255.255.255", "reserved": "240.0.0.1", "own": OWN, "own6": f"[{OWN6}]",
    "loopback6": "[::1]", "unspecified6": "[::]", "mapped": "[::ffff:127.0.0.1]",
    "mapped-metadata": "[::ffff:a9fe:a9fe]", "compatible": "[::a9fe:a9fe]", "translated": "[::ffff:0:a9fe:a9fe]",
    "nat64": "[64:ff9b::a9fe:a9fe]", "nat64-local": "[64:ff9b:1::a9fe:a9fe]", "6to4": "[2002:a9fe:a9fe::1]",
    "teredo": "[2001::f5ff:fffe]", "isatap": "[2a00::5efe:a9fe:a9fe]", "unique-local": "[fc00::1]",
    "metadata6": "[fd00:ec2::254]", "link-local": "[fe80::1]", "site-local": "[fec0::1]",
    "multicast6": "[ff02::1]", "outside-unicast": "[4000::1]",
}  # fmt: skip
"""Hosts in a URL's own notation that lead where nobody may go."""

_SHORT_FORMS = {
    "loopback",
    "decimal",
    "octal",
    "enclosed",
    "metadata",
    "mapped",
    "nat64",
    "6to4",
    "unique-local",
    "own",
}

ZONES: dict[str, Zone] = {
    "inside.test": (("A", "10.0.0.7"),),
    "mixed.test": (("A", PUBLIC), ("A", "10.0.0.8")),
    "mixed6.test": (("A", PUBLIC), ("AAAA", "fc00::8")),
    "alias.test": (("CNAME", "inside.test."),),
    "alias-twice.test": (("CNAME", "alias.test."),),
    "metadata.test": (("A", "169.254.169.254"),),
    "loopback.test": (("A", "127.0.0.1"),),
    "zero.test": (("A", "0.0.0.0"),),
    "mapped.test": (("AAAA", "::ffff:10.0.0.1"),),
    "nat64.test": (("AAAA", "64:ff9b::a00:1"),),
    "sixtofour.test": (("AAAA", "2002:a00:1::1"),),
    "teredo.test": (("AAAA", "2001::f5ff:fffe"),),
    "local6.test": (("AAAA", "fd00::1"),),
}
PUBLIC_ZONES: dict[str, Zone] = {
    "attack.test": (("A", PUBLIC), ("AAAA", PUBLIC6)),
    "public.test": (("A", PUBLIC),),
}
_SHORT_ZONES = {"mixed.test", "alias.test", "nat64.test", "loopback.test"}


def _forms() -> list[Case]:
    return [
        Case(f"form-{name}", url=f"http://{host}{{path}}", short=name in _SHORT_FORMS)
        for name, host in FORMS.items()
    ]


def _names() -> list[Case]:
    return [Case(f"name-{host}", url=f"http://{host}{{path}}", short=host in _SHORT_ZONES) for host in ZONES]


def _userinfo() -> list[Case]:
    return [
        Case("userinfo-public", url="http://public.test@127.0.0.1{path}"),
        Case("userinfo-two", url="http://public.test:80@127.0.0.1:8080{path}"),
        Case("userinfo-encoded", url="http://public.test%2f@127.0.0.1{path}", short=True),
        Case(
            "userinfo-in-page", page='<script>tried=1;location="http://public.test@10.0.0.1{path}"</script>'
        ),
    ]


def _ports() -> list[Case]:
    return [
        Case("port-8080", url="http://127.0.0.1:8080{path}"),
        Case("port-443", url="https://127.0.0.1{path}", short=True),
        Case("port-devtools", page="<script>tried=1;fetch('http://127.0.0.1:{devtools}/json/version?{path}',{{mode:'no-cors'}})</script>", short=True),
        Case("port-recorder", page="<script>tried=1;fetch('http://127.0.0.1:{recorder}{path}',{{mode:'no-cors'}})</script>"),
        Case("socket-devtools", page="<script>tried=1;new WebSocket('ws://127.0.0.1:{devtools}{path}')</script>"),
        Case("port-of-mail", seen="browser", page="<script>tried=1;fetch('http://public.test:25{path}').catch(()=>0)</script>"),
    ]  # fmt: skip


def _redirects() -> list[Case]:
    found = [
        Case(f"redirect-{code}", status=f"{code} Moved", head="Location: {leak}", short=code in (301, 307))
        for code in (301, 302, 303, 307, 308)
    ]
    return [
        *found,
        Case("redirect-chain", status="302 Found", head="Location: http://public.test/case/redirect-301-again{path}"),
        Case("redirect-own-scheme", status="302 Found", head="Location: //169.254.169.254{path}"),
        Case("redirect-https", status="302 Found", head="Location: https://10.0.0.1{path}"),
        Case("redirect-userinfo", status="302 Found", head="Location: http://public.test@10.0.0.1{path}"),
        Case("redirect-of-image", page='<img src="http://public.test/redirect{path}">', short=True),
        Case("redirect-of-script", page='<script src="http://public.test/redirect{path}"></script>'),
        Case("redirect-of-fetch", page="<script>fetch('http://public.test/redirect{path}',{{mode:'no-cors'}})</script>"),
        Case("redirect-of-iframe", page='<iframe src="http://public.test/redirect{path}"></iframe>'),
        Case("redirect-of-post", page='<form method=post action="http://public.test/redirect307{path}"><input name=a value=b></form><script>document.forms[0].submit()</script>'),
        Case("refresh-header", head="Refresh: 0; url={leak}"),
        Case("meta-refresh", page='<meta http-equiv=refresh content="0;url={leak}">', short=True),
        Case("location", page="<script>location={leak!r}</script>", short=True),
        Case("location-replace", page="<script>location.replace({leak!r})</script>"),
        Case("window-open", seen="browser", page="<script>tried=1;window.open({leak!r})</script>", short=True),
        Case("link-click", page='<a id=a href="{leak}">x</a><script>a.click()</script>'),
        Case("form-get", page='<form action="{leak}"></form><script>document.forms[0].submit()</script>'),
        Case("form-post", page='<form method=post action="{leak}"></form><script>document.forms[0].submit()</script>', short=True),
        Case("form-in-frame", page='<iframe name=f></iframe><form target=f method=post action="{leak}"></form><script>document.forms[0].submit()</script>'),
        Case("base-href", page='<base href="http://10.0.0.1/"><img src="{path}">'),
        Case("rebinding", page="<script>tried=1;setInterval(()=>fetch('http://rebind.test{path}?'+Math.random(),{{mode:'no-cors'}}).catch(()=>0),30)</script>", short=True),
        Case("rebinding-page", url="http://rebind-page.test/case/rebinding-page", page="<script>tried=1;setInterval(()=>fetch('{path}?'+Math.random()).catch(()=>0),30)</script>"),
    ]  # fmt: skip


_EMBEDDED = {
    "img": '<img src="{leak}">', "img-srcset": '<img srcset="{leak} 1x">', "picture": '<picture><source srcset="{leak}"><img></picture>',
    "input-image": '<input type=image src="{leak}">', "background": '<body background="{leak}">',
    "script": '<script src="{leak}"></script>', "script-module": '<script type=module src="{leak}"></script>',
    "import": "<script type=module>import({leak!r})</script>",
    "import-map": '<script type=importmap>{{"imports":{{"x":"{leak}"}}}}</script><script type=module>import "x"</script>',
    "iframe": '<iframe src="{leak}"></iframe>', "iframe-srcdoc": "<iframe srcdoc=\"<img src='{leak}'>\"></iframe>",
    "iframe-sandbox": '<iframe sandbox="allow-scripts" srcdoc="<script src=\'{leak}\'></script>"></iframe>',
    "iframe-data": "<iframe src=\"data:text/html,<img src='{leak}'>\"></iframe>",
    "iframe-data-nested": "<iframe src=\"data:text/html,<iframe src='data:text/html,<img src={leak}>'></iframe>\"></iframe>",
    "iframe-blob": "<script>f=document.createElement('iframe');f.src=URL.createObjectURL(new Blob(['<img src=\"{leak}\">'],{{type:'text/html'}}));document.documentElement.append(f)</script>",
    "iframe-javascript": "<iframe src=\"javascript:'<img src={leak}>'\"></iframe>",
    "frameset": '<frameset><frame src="{leak}"></frameset>',
    "object": '<object data="{leak}"></object>', "embed": '<embed src="{leak}">',
    "embed-pdf": '<embed type="application/pdf" src="{leak}">',
    "stylesheet": '<link rel=stylesheet href="{leak}">', "css-import": "<style>@import url({leak});</style>",
    "css-url": "<style>body{{background:url({leak})}}</style>", "css-cursor": "<style>body{{list-style-image:url({leak})}}</style><li>x",
    "css-image-set": "<style>body{{background:image-set(url({leak}) 1x)}}</style>",
    "font-face": "<style>@font-face{{font-family:x;src:url({leak})}}body{{font-family:x}}</style>text",
    "preload": '<link rel=preload as=image href="{leak}">',
    "modulepreload": '<link rel=modulepreload href="{leak}">',
    "video": '<video src="{leak}" preload=auto></video>', "video-poster": '<video poster="{leak}"></video>',
    "audio": '<audio src="{leak}" preload=auto></audio>', "source": '<video preload=auto><source src="{leak}"></video>',
    "track": '<video crossorigin src="data:video/mp4,x"><track default src="{leak}"></video><script>document.querySelector("track").track.mode="showing"</script>',
    "svg-image": '<svg><image href="{leak}"/></svg>', "svg-xlink": '<svg><image xlink:href="{leak}"/></svg>',
    "svg-fe-image": '<svg width=9 height=9><filter id=f><feImage href="{leak}"/></filter><rect width=9 height=9 filter="url(#f)"/></svg>',
    "fetch": "<script>fetch({leak!r})</script>", "fetch-no-cors": "<script>fetch({leak!r},{{mode:'no-cors'}})</script>",
    "fetch-preflight": "<script>fetch({leak!r},{{method:'PUT',headers:{{'X-A':'b'}},body:'x'}})</script>",
    "fetch-keepalive": "<script>fetch({leak!r},{{mode:'no-cors',keepalive:true,method:'POST'}})</script>",
    "fetch-local-space": "<script>fetch({leak!r},{{targetAddressSpace:'local'}}).catch(()=>fetch({leak!r}))</script>",
    "xhr": "<script>x=new XMLHttpRequest();x.open('GET',{leak!r});x.send()</script>",
    "xhr-sync": "<script>x=new XMLHttpRequest();x.open('GET',{leak!r},false);try{{x.send()}}catch(e){{}}</script>",
    "xhr-preflight": "<script>x=new XMLHttpRequest();x.open('DELETE',{leak!r});x.setRequestHeader('X-A','b');x.send()</script>",
    "beacon": "<script>navigator.sendBeacon({leak!r},'x')</script>",
    "event-source": "<script>new EventSource({leak!r})</script>",
    "web-socket": "<script>new WebSocket({leak!r}.replace('http','ws'))</script>",
    "web-socket-tls": "<script>new WebSocket({leak!r}.replace('http','wss'))</script>",
    "worker-fetch": "<script>new Worker(URL.createObjectURL(new Blob([\"fetch('{leak}',{{mode:'no-cors'}})\"])))</script>",
    "worker-import": "<script>new Worker(URL.createObjectURL(new Blob([\"importScripts('{leak}')\"])))</script>",
    "worker-socket": "<script>new Worker(URL.createObjectURL(new Blob([\"new WebSocket('{leak}'.replace('http','ws'))\"])))</script>",
    "worker-nested": "<script>new Worker(URL.createObjectURL(new Blob([\"new Worker(URL.createObjectURL(new Blob(['fetch(`{leak}`)'])))\"])))</script>",
    "shared-worker": "<script>new SharedWorker(URL.createObjectURL(new Blob([\"fetch('{leak}',{{mode:'no-cors'}})\"])))</script>",
    "portal-object-svg": "<object type=image/svg+xml data=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><script href='{leak}'/></svg>\"></object>",
    "meta-csp-report": "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><img src=\"{leak}\"><script src=\"{leak}\"></script>",
}  # fmt: skip
"""Pages whose request goes out like any other."""

_SHORT_EMBEDDED = {
    "img", "iframe", "iframe-data", "css-url", "fetch-preflight", "beacon", "event-source", "web-socket",
    "worker-fetch", "shared-worker", "preload",
}  # fmt: skip

_KEPT_INSIDE = {
    "ping": '<a id=a href="#x" ping="{leak}">x</a><script>a.click()</script>',
    "manifest": '<link rel=manifest href="{leak}">',
    "dns-prefetch": '<link rel=dns-prefetch href="//inside.test">', "preconnect": '<link rel=preconnect href="{leak}">',
    "prefetch": '<link rel=prefetch href="{leak}">', "prerender": '<link rel=prerender href="{leak}">',
    "speculation-rules": '<script type=speculationrules>{{"prefetch":[{{"source":"list","urls":["{leak}"]}}],"prerender":[{{"source":"list","urls":["{leak}"]}}]}}</script>',
    "favicon": '<link rel=icon href="{leak}">', "favicon-shortcut": '<link rel="shortcut icon" href="{leak}"><link rel=apple-touch-icon href="{leak}">',
    "service-worker": "<script>navigator.serviceWorker&&navigator.serviceWorker.register('/case/worker.js?{path}').catch(()=>0)</script>",
    "web-transport": "<script>try{{w=new WebTransport({leak!r}.replace('http:','https:'));w.ready.catch(()=>0);w.closed.catch(()=>0)}}catch(e){{}}</script>",
    "stun": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'stun:10.0.0.1:3478'}}]}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "stun-name": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'stun:inside.test:19302'}}]}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "turn-udp": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'turn:10.0.0.1:3478?transport=udp',username:'u',credential:'c'}}]}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "peer-candidate": "<script>p=new RTCPeerConnection();p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o));q=new RTCPeerConnection();p.onicecandidate=e=>e.candidate&&q.addIceCandidate(e.candidate).catch(()=>0);setTimeout(async()=>{{await q.setRemoteDescription(p.localDescription);await q.setLocalDescription(await q.createAnswer());await p.setRemoteDescription(q.localDescription);for(const a of ['10.0.0.1','224.0.0.251','127.0.0.1'])p.addIceCandidate({{candidate:'candidate:1 1 udp 2122260223 '+a+' 3478 typ host',sdpMid:'0'}}).catch(()=>0)}},50)</script>",
    "file-image": '<img src="file:///etc/hostname">', "file-frame": '<iframe src="file:///etc/passwd"></iframe>',
    "file-script": '<script src="file:///etc/passwd"></script>', "file-fetch": "<script>fetch('file:///etc/passwd').catch(()=>0)</script>",
    "file-location": "<script>try{{location='file:///etc/passwd'}}catch(e){{}}</script>",
    "view-source": "<script>try{{window.open('view-source:{leak}')}}catch(e){{}}</script>", "chrome-url": '<iframe src="chrome://version"></iframe>',
    "ftp": '<img src="ftp://10.0.0.1{path}"><iframe src="ftp://10.0.0.1{path}"></iframe>',
    "unknown-schemes": '<img src="gopher://10.0.0.1:80{path}"><img src="dict://10.0.0.1:80{path}"><img src="ldap://10.0.0.1{path}"><img src="jar:{leak}!/x">',
    "protocol-launch": '<iframe src="ms-settings:x"></iframe><iframe src="smb://10.0.0.1{path}"></iframe>',
    "xslt-document": "<script>x=new DOMParser().parseFromString(`<?xml version='1.0'?><!DOCTYPE a [<!ENTITY e SYSTEM '{leak}'>]><a>&e;</a>`,'text/xml')</script>",
    "attribution": '<img attributionsrc="{leak}">', "direct-socket": "<script>try{{new TCPSocket('10.0.0.1',80)}}catch(e){{}}</script>",
    "svg-use": '<svg><use href="{leak}#x"/></svg>',
    "bluetooth-of-devices": "<script>navigator.usb&&navigator.usb.getDevices().catch(()=>0)</script>",
}  # fmt: skip
"""Pages whose request never leaves the browser, or only if something bypasses the proxy."""

_SHORT_INSIDE = {"dns-prefetch", "stun", "file-frame", "service-worker", "preconnect", "favicon"}

_REPORTING = 'Report-To: {{"group":"g","max_age":60,"endpoints":[{{"url":"{leak}"}}]}}\r\nReporting-Endpoints: g="{leak}"'


def _pages() -> list[Case]:
    tried = "<script>tried=1</script>"
    return [
        *(Case(name, page=page, short=name in _SHORT_EMBEDDED) for name, page in _EMBEDDED.items()),
        *(
            Case(name, seen="browser", page=tried + page, short=name in _SHORT_INSIDE)
            for name, page in _KEPT_INSIDE.items()
        ),
    ]


def _headers() -> list[Case]:
    blocked = '<script>tried=1</script><img src="http://public.test/blocked.png">'
    return [
        Case("csp-report", head="Content-Security-Policy: img-src 'none'; report-uri {leak}", page=blocked, short=True),
        Case("csp-report-only", head="Content-Security-Policy-Report-Only: img-src 'none'; report-uri {leak}", page=blocked),
        Case("csp-report-to", seen="browser", head=f"{_REPORTING}\r\nContent-Security-Policy: img-src 'none'; report-to g", page=blocked),
        Case("network-error-logging", seen="browser", head=f'{_REPORTING}\r\nNEL: {{{{"report_to":"g","max_age":60,"success_fraction":1}}}}', page=blocked),
        Case("deprecation-report", seen="browser", head=_REPORTING, page="<script>tried=1;x=new XMLHttpRequest();x.open('GET','/x',false);x.send()</script>"),
        Case("link-preload", head="Link: <{leak}>; rel=preload; as=image", page="x"),
        Case("link-stylesheet", seen="browser", head="Link: <{leak}>; rel=stylesheet", page="<script>tried=1</script>"),
        Case("link-preconnect", seen="browser", head="Link: <{leak}>; rel=preconnect", page="<script>tried=1</script>"),
        Case("early-hints", seen="browser", status="103 Early Hints\r\nLink: <{leak}>; rel=preload; as=image\r\n\r\nHTTP/1.1 200 OK", page="<script>tried=1</script>"),
        Case("alternative-service", seen="browser", head='Alt-Svc: h3="10.0.0.1:443", h2="10.0.0.1:443"', page="<script>tried=1;fetch('/x')</script>"),
        Case("origin-trial", seen="browser", head="Origin-Trial: x", page="<script>tried=1</script>"),
        Case("svg-document", kind="image/svg+xml", page='<svg xmlns="http://www.w3.org/2000/svg"><image href="{leak}"/></svg>'),
        Case("svg-stylesheet", kind="image/svg+xml", page='<?xml-stylesheet href="{leak}"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
        Case("xhtml-entity", kind="application/xhtml+xml", page='<html xmlns="http://www.w3.org/1999/xhtml"><head><link rel="stylesheet" href="{leak}"/></head></html>'),
    ]  # fmt: skip


_SECURE = {
    "img": '<img src="{leak}">', "fetch-preflight": "<script>fetch({leak!r},{{method:'PUT',headers:{{'X-A':'b'}}}})</script>",
    "iframe": '<iframe src="{leak}"></iframe>', "location": "<script>location={leak!r}</script>",
    "web-socket": "<script>new WebSocket({leak!r}.replace('https','wss'))</script>",
    "mixed-image": '<img src="http://10.0.0.1{path}">',
    "shared-worker": "<script>new SharedWorker(URL.createObjectURL(new Blob([\"fetch('{leak}',{{mode:'no-cors'}})\"])))</script>",
}  # fmt: skip
"""Pages of a secure context whose request goes out like any other."""

_SECURE_INSIDE = {
    "service-worker": "<script>navigator.serviceWorker.register('/case/worker.js?{path}').catch(()=>0)</script>",
    "web-transport": "<script>w=new WebTransport({leak!r});w.ready.catch(()=>0);w.closed.catch(()=>0)</script>",
    "web-transport-hashes": "<script>w=new WebTransport({leak!r},{{serverCertificateHashes:[{{algorithm:'sha-256',value:new Uint8Array(32)}}]}});w.ready.catch(()=>0);w.closed.catch(()=>0)</script>",
    "payment-manifest": "<script>try{{new PaymentRequest([{{supportedMethods:{leak!r}}}],{{total:{{label:'x',amount:{{currency:'EUR',value:'1'}}}}}}).canMakePayment().catch(()=>0)}}catch(e){{}}</script>",
    "federated-login": "<script>navigator.credentials.get({{identity:{{providers:[{{configURL:{leak!r},clientId:'x'}}]}}}}).catch(()=>0)</script>",
    "related-origins": "<script>navigator.credentials.get({{publicKey:{{challenge:new Uint8Array(8),rpId:'inside.test'}}}}).catch(()=>0)</script>",
    "fetch-later": "<script>try{{fetchLater({leak!r},{{activateAfter:0}})}}catch(e){{}}</script>",
    "background-fetch": "<script>navigator.serviceWorker.ready.then(r=>r.backgroundFetch.fetch('x',{leak!r})).catch(()=>0)</script>",
    "mixed-fetch": "<script>fetch('http://10.0.0.1{path}').catch(()=>0)</script>",
    "network-error-logging": '<img src="/missing.png">', "stun": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'stun:10.0.0.1:3478'}}]}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "turns": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'turns:10.0.0.1:443?transport=tcp',username:'u',credential:'c'}}],iceTransportPolicy:'relay'}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
    "turn-tcp": "<script>p=new RTCPeerConnection({{iceServers:[{{urls:'turn:10.0.0.1:443?transport=tcp',username:'u',credential:'c'}}],iceTransportPolicy:'relay'}});p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o))</script>",
}  # fmt: skip
"""And those whose request is the browser's own, or never leaves it."""


def _secure() -> list[Case]:
    tried, reports = (
        "<script>tried=1</script>",
        f'{_REPORTING}\r\nNEL: {{{{"report_to":"g","max_age":60,"success_fraction":1}}}}',
    )
    return [
        *(Case(f"secure-{name}", page=page, secure=True, short=name == "fetch-preflight") for name, page in _SECURE.items()),
        *(
            Case(f"secure-{name}", seen="browser", page=tried + page, secure=True, short=name == "web-transport",
                 head=reports if name == "network-error-logging" else "")
            for name, page in _SECURE_INSIDE.items()
        ),
    ]  # fmt: skip


CASES: tuple[Case, ...] = (
    *_forms(), *_names(), *_userinfo(), *_ports(), *_redirects(), *_pages(), *_headers(), *_secure(),
)  # fmt: skip
