"""A storefront nobody here wrote: django-oscar from PyPI in an environment of its own, its templates untouched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from evidence_service.sandbox.marketplace.catalogue import LISTINGS
from evidence_service.sandbox.marketplace.pictures import picture
from tests.environments import programs

_PROJECT = Path(__file__).parent / "oscar"
_PICTURES = 4


class Storefront:
    """Filled and served on loopback while the ``with`` block lasts.

    Args:
        state: directory for its database and files; ``root`` in it is what a web server serves as it is.

    Attributes:
        listings: what it sells, each with ``path``, ``title``, ``price``, ``currency``, ``shop_name``.
    """

    def __init__(self, state: Path) -> None:
        self.root = state / "root"
        self.root.mkdir(parents=True)
        self.port = free_port()
        self._state = state
        self._python = programs("oscar", _PROJECT / "requirements.txt") / "python"
        self._variables = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "DJANGO_SETTINGS_MODULE": "settings",
            "STOREFRONT_STATE": str(state),
        }
        _write_goods(state / "goods")
        subprocess.run(
            [self._python, "fill.py"], cwd=_PROJECT, env=self._variables, check=True, stdout=sys.stderr
        )
        self.listings: list[dict[str, Any]] = json.loads((state / "listings.json").read_text("utf-8"))
        self._process: ManagedProcess | None = None

    def __enter__(self) -> Self:
        command = [
            *(str(self._python), "-m", "gunicorn", "--workers", "1", "--threads", "4"),
            *("--bind", f"127.0.0.1:{self.port}", "wsgi:application"),
        ]
        self._process = ManagedProcess(
            "storefront",
            command,
            log=self._state / "storefront.log",
            environment=self._variables,
            directory=_PROJECT,
        )
        self._process.wait_until(lambda: accepts_connections(self.port), seconds=30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()


def _write_goods(directory: Path) -> None:
    """The sample marketplace's goods as files: what they are, and their pictures."""
    directory.mkdir()
    goods = []
    for item in LISTINGS:
        if item.state != "on_sale":
            continue
        pictures = []
        for number in range(1, _PICTURES + 1):
            pictures.append(f"{item.id}-{number}.jpg")
            (directory / pictures[-1]).write_bytes(picture(item.motif, item.colour, number, item.brand))
        goods.append(
            {
                "id": item.id,
                "title": item.title,
                "price": item.price,
                "currency": item.currency,
                "shop_id": item.shop.id,
                "shop_name": item.shop.name,
                "description": item.description,
                "category": "Fashion > Bags" if item.motif == "bag" else f"Goods > {item.motif}",
                "stock": item.sold,
                "pictures": pictures,
            }
        )
    (directory / "goods.json").write_text(json.dumps(goods, ensure_ascii=False), encoding="utf-8")
