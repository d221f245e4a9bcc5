"""Settings: a JSON file and the environment, read here and nowhere else.

``EVIDENCE_CONFIG`` names the file; a variable ``EVIDENCE_…`` outweighs it (``EVIDENCE_SEAL__PKCS12`` for a
nested one). The table in ``docs/reference/settings.md`` is generated from the descriptions of the fields.
"""

from evidence_service.config.access import KeySettings, ProviderSettings, RateLimitSettings
from evidence_service.config.capture import CaptureLimitSettings
from evidence_service.config.chains import (
    AwsKmsSettings,
    ChainSettings,
    KeystoreSettings,
    SignerSettings,
    Web3SignerSettings,
)
from evidence_service.config.client import ClientSettings
from evidence_service.config.objects import ObjectSettings
from evidence_service.config.seal import SealPkcs11Settings, SealRemoteSettings, SealSettings
from evidence_service.config.settings import (
    AuthoritySettings,
    CalendarSettings,
    IssuerSettings,
    Settings,
    load,
    settings_file,
)

__all__ = [
    "AuthoritySettings",
    "AwsKmsSettings",
    "CalendarSettings",
    "CaptureLimitSettings",
    "ChainSettings",
    "ClientSettings",
    "IssuerSettings",
    "KeySettings",
    "KeystoreSettings",
    "ObjectSettings",
    "ProviderSettings",
    "RateLimitSettings",
    "SealPkcs11Settings",
    "SealRemoteSettings",
    "SealSettings",
    "Settings",
    "SignerSettings",
    "Web3SignerSettings",
    "load",
    "settings_file",
]
