"""What the sample marketplace sells. Every brand, shop and person in it is invented."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shop:
    """A seller of the sample marketplace."""

    id: str
    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of the sample marketplace.

    Attributes:
        language: ``en`` or ``zh-CN``.
        price: in the currency's main unit, two decimals, as text.
        motif: which drawing its pictures show.
        pictures: number of pictures in its description, all lazily loaded.
        state: ``on_sale``, or why it cannot be seen: ``removed``, ``login``, ``challenge``.
    """

    id: str
    language: str
    title: str
    price: str
    currency: str
    shop: Shop
    brand: str
    sold: int
    variants: tuple[str, ...]
    description: str
    motif: str
    colour: str
    pictures: int = 6
    state: str = "on_sale"


_HARBOUR = Shop("S-2207", "Harbour Trend Outlet", "Shenzhen, CN")
_NORTH = Shop("S-3141", "Northgate Direct", "Rotterdam, NL")
_YUNHE = Shop("S-5518", "运河数码专营店", "浙江 杭州")
_LANHAI = Shop("S-6026", "蓝海鞋包工厂店", "福建 莆田")

LISTINGS: tuple[Listing, ...] = (
    Listing(
        "100201",
        "en",
        "AURELLE Style Quilted Chain Shoulder Bag – 1:1 Mirror Quality, With Box and Dust Bag",
        "68.90",
        "USD",
        _HARBOUR,
        "AURELLE",
        1842,
        ("Black", "Burgundy", "Cream"),
        "Same leather, same stamp, same serial card as the boutique. Ships with box, dust bag and receipt.",
        "bag",
        "#7a1f35",
        pictures=8,
    ),
    Listing(
        "100202",
        "en",
        "Veltrix Pro X2 Wireless Noise Cancelling Headphones (OEM, Factory Seconds)",
        "39.50",
        "USD",
        _NORTH,
        "Veltrix",
        967,
        ("Graphite", "Silver"),
        "Straight from the line that makes the original. Firmware shows as genuine in the app.",
        "headphones",
        "#24485e",
    ),
    Listing(
        "100203",
        "en",
        "Kestrel Runner 4 Trainers, All Sizes, Free Shipping Over Two Pairs",
        "45.00",
        "EUR",
        _HARBOUR,
        "Kestrel",
        3120,
        ("EU 39", "EU 41", "EU 43", "EU 45"),
        "Super light trainers. Logo on tongue and heel, tags and box included.",
        "shoe",
        "#2f6b3a",
    ),
    Listing(
        "100204",
        "en",
        "Brenholm 20V Drill Battery 5.0 Ah Compatible, Two Pack",
        "31.99",
        "GBP",
        _NORTH,
        "Brenholm",
        540,
        ("One pack", "Two pack"),
        "Fits all 20 V tools of the brand. CE mark printed on the label.",
        "battery",
        "#8a5a12",
    ),
    Listing(
        "200101",
        "zh-CN",
        "欧蕊同款菱格链条包 专柜品质 一比一复刻 全套包装 支持验货",
        "398.00",
        "CNY",
        _LANHAI,
        "欧蕊 AURELLE",
        5210,
        ("黑色", "酒红色", "米白色"),
        "头层牛皮，五金不掉色，钢印、序列卡、防尘袋、购物小票齐全。七天无理由退换。",
        "bag",
        "#3b2b4f",
        pictures=8,
    ),
    Listing(
        "200102",
        "zh-CN",
        "维特思 Pro X2 头戴式降噪蓝牙耳机 原厂尾单 弹窗顺滑",
        "189.00",
        "CNY",
        _YUNHE,
        "维特思 Veltrix",
        12870,
        ("石墨黑", "月光银"),
        "原厂流水线出品，官方应用可识别，支持查序列号。下单备注颜色。",
        "headphones",
        "#51407a",
    ),
    Listing(
        "200103",
        "zh-CN",
        "红隼 Runner 4 透气跑鞋 莆田工厂直发 多色可选",
        "226.00",
        "CNY",
        _LANHAI,
        "红隼 Kestrel",
        8033,
        ("39 码", "41 码", "43 码"),
        "鞋舌与后跟均有标识，附吊牌与鞋盒。两双包邮。",
        "shoe",
        "#9c3d1e",
    ),
    Listing(
        "200104",
        "zh-CN",
        "布伦霍姆 20V 电钻锂电池 5.0Ah 通用款 两块装",
        "168.00",
        "CNY",
        _YUNHE,
        "布伦霍姆 Brenholm",
        764,
        ("一块装", "两块装"),
        "适配该品牌全系列 20V 工具，标签印有认证标志。",
        "battery",
        "#22615a",
    ),
    Listing(
        "100290",
        "en",
        "AURELLE Style Silk Scarf",
        "12.00",
        "USD",
        _HARBOUR,
        "AURELLE",
        88,
        ("Red",),
        "",
        "bag",
        "#7a1f35",
        state="removed",
    ),
    Listing(
        "100291",
        "en",
        "Members' Offer: Kestrel Limited Edition",
        "52.00",
        "USD",
        _HARBOUR,
        "Kestrel",
        15,
        ("EU 42",),
        "",
        "shoe",
        "#2f6b3a",
        state="login",
    ),
    Listing(
        "200190",
        "zh-CN",
        "维特思限量版耳机",
        "299.00",
        "CNY",
        _YUNHE,
        "维特思 Veltrix",
        41,
        ("黑色",),
        "",
        "headphones",
        "#51407a",
        state="challenge",
    ),
)

BY_ID = {listing.id: listing for listing in LISTINGS}
