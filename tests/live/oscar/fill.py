"""Make the storefront's database: tables, a partner, categories, and the goods of ``goods.json``."""

import json
from decimal import Decimal

import django
from django.core.files import File
from django.core.management import call_command

django.setup()

from django.conf import settings  # noqa: E402 - models exist only after the set-up
from oscar.apps.catalogue.categories import create_from_breadcrumbs  # noqa: E402
from oscar.apps.catalogue.models import Product, ProductClass, ProductImage  # noqa: E402
from oscar.apps.partner.models import Partner, StockRecord  # noqa: E402


def fill() -> None:
    """Write what can be bought, and into ``listings.json`` where each of it is found."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("collectstatic", verbosity=0, interactive=False)
    goods = settings.STATE / "goods"
    kind = ProductClass.objects.create(name="Goods", track_stock=True)
    listings = []
    for item in json.loads((goods / "goods.json").read_text(encoding="utf-8")):
        partner, _ = Partner.objects.get_or_create(code=item["shop_id"], defaults={"name": item["shop_name"]})
        product = Product.objects.create(
            structure=Product.STANDALONE,
            product_class=kind,
            title=item["title"],
            upc=item["id"],
            description=item["description"],
        )
        product.categories.add(create_from_breadcrumbs(item["category"]))
        StockRecord.objects.create(
            product=product,
            partner=partner,
            partner_sku=item["id"],
            price_currency=item["currency"],
            price=Decimal(item["price"]),
            num_in_stock=item["stock"],
        )
        for order, name in enumerate(item["pictures"]):
            with (goods / name).open("rb") as picture:
                ProductImage.objects.create(
                    product=product, original=File(picture, name=name), display_order=order
                )
        listings.append({**item, "path": product.get_absolute_url()})
    (settings.STATE / "listings.json").write_text(json.dumps(listings, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    fill()
