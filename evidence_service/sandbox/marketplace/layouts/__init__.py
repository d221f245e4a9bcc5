"""Pages laid out as well-known platforms lay out theirs: structure from public knowledge, content invented."""

from evidence_service.sandbox.marketplace.fixture import Fixture
from evidence_service.sandbox.marketplace.layouts.aliexpress import ALIEXPRESS
from evidence_service.sandbox.marketplace.layouts.amazon import AMAZON
from evidence_service.sandbox.marketplace.layouts.ebay import EBAY
from evidence_service.sandbox.marketplace.layouts.shops import SHOPS
from evidence_service.sandbox.marketplace.layouts.taobao import TAOBAO
from evidence_service.sandbox.marketplace.layouts.wholesale import WHOLESALE

LAYOUTS: tuple[Fixture, ...] = (*TAOBAO, *WHOLESALE, *ALIEXPRESS, *AMAZON, *EBAY, *SHOPS)
