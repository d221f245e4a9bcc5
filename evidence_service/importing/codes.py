"""Every code a finding can have, with its severity. A code keeps its meaning for ever; new ones are added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

CODES: Final[Mapping[str, Literal["error", "warning", "note"]]] = {
    # any file
    "not_examined": "note",  # the kind is none of those that are examined
    "empty": "error",  # there are no bytes
    "type.declared": "warning",  # the sender announced another media type
    "type.name": "warning",  # the name's ending says another type
    "unfinished": "error",  # the examination crashed or was ended
    "limit": "error",  # a limit of size, count, memory or time; what was found before stands
    "trailing": "warning",  # bytes behind the end of the format
    # ZIP
    "zip.refused": "error",  # cannot be read, or could mean two things
    "zip.surplus": "warning",  # bytes before the first member, or a comment
    "zip.member_damaged": "error",
    # WARC, ISO 28500
    "warc.framing": "error",  # a record does not begin or end where it has to
    "warc.truncated": "error",  # the file ends inside a record
    "warc.version": "error",
    "warc.gzip_damaged": "error",
    "warc.gzip_members": "warning",  # records and gzip members do not match one to one
    "warc.header_syntax": "warning",
    "warc.header_missing": "error",
    "warc.header_repeated": "error",
    "warc.date": "error",
    "warc.record_id": "error",  # not a URI in angle brackets, or used twice
    "warc.block_digest": "error",
    "warc.payload_digest": "error",
    "warc.payload_digest_decoded": "note",  # holds with the transfer coding removed
    "warc.digest_missing": "warning",
    "warc.digest_unknown": "note",  # algorithm or notation that is not computed here
    "warc.refers_to": "warning",  # names a record that is not in the file
    "warc.concurrent_to": "warning",
    "warc.ip_address": "warning",
    "warc.declared_truncated": "warning",  # WARC-Truncated
    "warc.http_head": "error",
    "warc.http_length": "warning",  # Content-Length and the bytes differ
    "warc.http_chunked": "warning",  # announced as chunked, and not
    "warc.headers_lower_case": "warning",
    "warc.headers_sorted": "warning",
    "warc.headers_renamed": "warning",
    "warc.cookies_merged": "warning",
    "warc.empty": "error",
    # WACZ 1.1.1
    "wacz.datapackage": "error",  # missing, or not what the format says
    "wacz.version": "note",
    "wacz.resource_missing": "error",
    "wacz.resource_size": "error",
    "wacz.resource_hash": "error",
    "wacz.resource_hash_doubled": "error",  # the known defect of js-wacz and Scoop
    "wacz.resource_unhashed": "warning",
    "wacz.member_unlisted": "warning",
    "wacz.digest_missing": "warning",
    "wacz.digest": "error",
    "wacz.unsigned": "note",
    "wacz.signature": "error",
    "wacz.signature_not_checked": "note",
    "wacz.archive_missing": "error",
    "wacz.archive_compressed": "warning",
    "wacz.index_missing": "error",
    "wacz.index": "error",  # a line that is none
    "wacz.index_record": "error",  # points at no record
    "wacz.index_length": "warning",
    "wacz.index_digest": "error",
    "wacz.record_unindexed": "warning",
    "wacz.pages_missing": "error",
    "wacz.pages": "error",
    "wacz.page_record": "warning",
    # HAR 1.2
    "har.structure": "error",
    "har.version": "warning",
    "har.duplicate_key": "error",
    "har.time": "error",
    "har.timings": "warning",
    "har.body_encoding": "error",
    "har.body_size": "warning",
    "har.body_missing": "warning",
    "har.redacted": "note",
    "har.cookies_absent": "note",
    "har.order": "note",
    "har.ip_address": "note",
    "har.no_answer": "note",
    # PDF
    "pdf.damaged": "error",
    "pdf.header": "warning",
    "pdf.encrypted": "warning",
    "pdf.active": "warning",
    "pdf.revisions": "note",
    "pdf.signature": "error",
    "pdf.signature_coverage": "warning",
    "pdf.signature_not_checked": "note",
    # images
    "image.damaged": "error",
    "image.header_only": "note",
    "image.edited": "note",
    "image.location": "note",
    "image.no_time": "note",
    # video and sound
    "video.damaged": "error",
    "video.truncated": "error",
    "video.no_time": "note",
    "video.not_decoded": "note",
    "video.location": "note",
    # email
    "email.defect": "warning",
    "email.header_missing": "warning",
    "email.header_repeated": "error",
    "email.date": "warning",
    "email.received_order": "warning",
    "email.no_received": "note",
    "email.charset": "warning",
    "email.signature_not_checked": "note",
    "email.unsigned": "note",
}
