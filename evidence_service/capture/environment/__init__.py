"""The state of the machine a capture ran on: fifteen points, each pass, fail or unavailable.

Other resolvers, clocks, a page of control and a second fetch are asked in threads beside the browser.
"""

from evidence_service.capture.environment.examination import Checks, Examination, Seen
from evidence_service.capture.environment.others import Fetched

__all__ = ["Checks", "Examination", "Fetched", "Seen"]
