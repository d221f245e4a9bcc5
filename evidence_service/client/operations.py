"""The operations of the service. Made by scripts/generate_client.py; do not edit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from evidence_service.client import models
from evidence_service.client.events import Event
from evidence_service.client.transport import Transport, part, parts


class EvidenceClient(Transport):
    """Captures marketplace listings as evidence, anchors them, and issues certificates."""

    def live(self) -> dict[str, str]:
        """The process answers."""
        answer: dict[str, str] = self._ask(dict[str, str], "GET", "/livez")
        return answer

    def show_metrics(self, to: Path, *, expect: str | None = None) -> Path:
        """Figures in the text format of Prometheus. Every process tells of the requests it answered;
        one that runs a worker, of the whole installation too.
        """
        return self._download(to, expect, "/metrics")

    def ready(self) -> models.ReadinessView:
        """Orders can be accepted; else each failing dependency is named."""
        answer: models.ReadinessView = self._ask(models.ReadinessView, "GET", "/readyz")
        return answer

    def list_anchors(
        self, *, open_only: bool | None = None, before: int | None = None, limit: int | None = None
    ) -> models.AnchorPage:
        """Batches on their chains, newest first."""
        answer: models.AnchorPage = self._ask(
            models.AnchorPage,
            "GET",
            "/v1/anchors",
            query={"open_only": open_only, "before": before, "limit": limit},
        )
        return answer

    def iter_list_anchors(
        self, *, open_only: bool | None = None, before: int | None = None, limit: int | None = None
    ) -> Iterator[models.AnchorView]:
        """All of “list_anchors”, page after page."""
        yield from self._pages(
            models.AnchorPage,
            "/v1/anchors",
            "before",
            {"open_only": open_only, "before": before, "limit": limit},
        )

    def show_anchors(self, batch_id: str) -> list[models.AnchorView]:
        """One batch on its chains."""
        answer: list[models.AnchorView] = self._ask(
            list[models.AnchorView], "GET", f"/v1/anchors/{part(batch_id)}"
        )
        return answer

    def stream_proofs(self, batch_id: str, to: Path, *, expect: str | None = None) -> Path:
        """Every entry's manifest SHA-256, index and inclusion path, one JSON object a line, in leaf
        order.
        """
        return self._download(to, expect, f"/v1/batches/{part(batch_id)}/proofs")

    def order_list(
        self, body: models.NewCaptureList, *, idempotency_key: str | None = None
    ) -> models.AcceptedListView:
        """Order the capture of up to 5,000 listings. Each row is accepted or refused by itself; when
        this answers, every accepted row is durable and has its receipt.
        """
        answer: models.AcceptedListView = self._ask(
            models.AcceptedListView, "POST", "/v1/capture-lists", body=body, key=idempotency_key, creates=True
        )
        return answer

    def show_list(self, list_id: str) -> models.CaptureListView:
        """Where the rows of a list stand, counted."""
        answer: models.CaptureListView = self._ask(
            models.CaptureListView, "GET", f"/v1/capture-lists/{part(list_id)}"
        )
        return answer

    def show_rows(
        self, list_id: str, *, after: int | None = None, limit: int | None = None
    ) -> models.RowPage:
        """The rows of a list in their order, each with where it stands."""
        answer: models.RowPage = self._ask(
            models.RowPage,
            "GET",
            f"/v1/capture-lists/{part(list_id)}/rows",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_show_rows(
        self, list_id: str, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[models.RowView]:
        """All of “show_rows”, page after page."""
        yield from self._pages(
            models.RowPage,
            f"/v1/capture-lists/{part(list_id)}/rows",
            "after",
            {"after": after, "limit": limit},
        )

    def order_capture(
        self, body: models.NewCapture, *, idempotency_key: str | None = None
    ) -> models.AcceptedView:
        """Order the capture of a listing; when this answers, the order is durable and will be carried
        out.
        """
        answer: models.AcceptedView = self._ask(
            models.AcceptedView, "POST", "/v1/captures", body=body, key=idempotency_key, creates=True
        )
        return answer

    def show_orders(self, *, id_: list[str]) -> list[models.CertificateOrderView]:
        """Where some orders stand; those that are not known are left out."""
        answer: list[models.CertificateOrderView] = self._ask(
            list[models.CertificateOrderView], "GET", "/v1/certificate-orders", query={"id": id_}
        )
        return answer

    def list_certificates(
        self,
        *,
        evidence_id: str | None = None,
        matter_id: str | None = None,
        status: Literal["reserved", "released", "superseded", "withdrawn"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> models.CertificatePage:
        """Certificates, by number."""
        answer: models.CertificatePage = self._ask(
            models.CertificatePage,
            "GET",
            "/v1/certificates",
            query={
                "evidence_id": evidence_id,
                "matter_id": matter_id,
                "status": status,
                "after": after,
                "limit": limit,
            },
        )
        return answer

    def iter_list_certificates(
        self,
        *,
        evidence_id: str | None = None,
        matter_id: str | None = None,
        status: Literal["reserved", "released", "superseded", "withdrawn"] | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.CertificateView]:
        """All of “list_certificates”, page after page."""
        yield from self._pages(
            models.CertificatePage,
            "/v1/certificates",
            "after",
            {
                "evidence_id": evidence_id,
                "matter_id": matter_id,
                "status": status,
                "after": after,
                "limit": limit,
            },
        )

    def order_certificates(
        self, body: models.NewCertificates, *, idempotency_key: str | None = None
    ) -> models.OrderedRows:
        """Ask for a certificate of each of up to 1,000 pieces of evidence. Each row is accepted or
        refused by itself. Repeating the request issues nothing twice: a row whose certificate is
        current, or ordered already, is answered with that one's order; a row that was refused is
        tried again, unless the request has the same key.
        """
        answer: models.OrderedRows = self._ask(
            models.OrderedRows, "POST", "/v1/certificates", body=body, key=idempotency_key, creates=True
        )
        return answer

    def list_due(self) -> list[models.DueView]:
        """Current certificates whose seals are to be extended now, the most pressing first."""
        answer: list[models.DueView] = self._ask(list[models.DueView], "GET", "/v1/certificates-due")
        return answer

    def show_number(self, number: str) -> models.CertificateDetail:
        """One certificate with its history and all its PDFs."""
        answer: models.CertificateDetail = self._ask(
            models.CertificateDetail, "GET", f"/v1/certificates/{part(number)}"
        )
        return answer

    def extend_certificate(self, number: str, body: models.Extension) -> models.CertificateDetail:
        """Extend the seal of a current certificate now; the old PDF stays beside the new one."""
        answer: models.CertificateDetail = self._ask(
            models.CertificateDetail, "POST", f"/v1/certificates/{part(number)}/extend", body=body
        )
        return answer

    def download_number(
        self, number: str, to: Path, *, expect: str | None = None, sha256: str | None = None
    ) -> Path:
        """The newest PDF released under a number, whatever became of it; or the one that is named."""
        return self._download(to, expect, f"/v1/certificates/{part(number)}/pdf", query={"sha256": sha256})

    def supersede_certificate(
        self, number: str, body: models.Succession, *, idempotency_key: str | None = None
    ) -> models.CertificateOrderView:
        """Order a new certificate of the same evidence. The old one is superseded in the moment in
        which the new one is released.
        """
        answer: models.CertificateOrderView = self._ask(
            models.CertificateOrderView,
            "POST",
            f"/v1/certificates/{part(number)}/supersede",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def withdraw_certificate(self, number: str, body: models.Withdrawal) -> models.CertificateDetail:
        """Withdraw a current certificate. Its PDF stays and goes on verifying; the register says that
        it is withdrawn.
        """
        answer: models.CertificateDetail = self._ask(
            models.CertificateDetail, "POST", f"/v1/certificates/{part(number)}/withdraw", body=body
        )
        return answer

    def list_chains(self) -> list[models.ChainView]:
        """What the last look at each chain showed, for each key."""
        answer: list[models.ChainView] = self._ask(list[models.ChainView], "GET", "/v1/chains")
        return answer

    def read_log(self, *, after: int | None = None, limit: int | None = None) -> models.LogPage:
        """Every custody event of the organisation, in the order it was logged, with the chain over
        them.
        """
        answer: models.LogPage = self._ask(
            models.LogPage, "GET", "/v1/custody-log", query={"after": after, "limit": limit}
        )
        return answer

    def iter_read_log(
        self, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[models.EntryView]:
        """All of “read_log”, page after page."""
        yield from self._pages(models.LogPage, "/v1/custody-log", "after", {"after": after, "limit": limit})

    def list_checkpoints(
        self, *, after: int | None = None, limit: int | None = None
    ) -> models.CheckpointPage:
        """The log's checkpoints, the shortest first."""
        answer: models.CheckpointPage = self._ask(
            models.CheckpointPage,
            "GET",
            "/v1/custody-log/checkpoints",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_list_checkpoints(
        self, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[models.CheckpointView]:
        """All of “list_checkpoints”, page after page."""
        yield from self._pages(
            models.CheckpointPage, "/v1/custody-log/checkpoints", "after", {"after": after, "limit": limit}
        )

    def follow_events(
        self, *, after: int | None = None, matter_id: str | None = None, evidence_id: str | None = None
    ) -> Iterator[Event]:
        """What happens to evidence, certificates and exhibits, as it happens; without “after” from now
        on. Ids count up by one: none is left out, none comes twice. A stream ends after 15 minutes,
        and with the service; a client that comes again with the last id goes on where it was.
        """
        yield from self._follow(
            "/v1/events", {"after": after, "matter_id": matter_id, "evidence_id": evidence_id}
        )

    def list_evidence(
        self,
        *,
        matter_id: str | None = None,
        service_records: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> models.EvidencePage:
        """Evidence, oldest id first."""
        answer: models.EvidencePage = self._ask(
            models.EvidencePage,
            "GET",
            "/v1/evidence",
            query={
                "matter_id": matter_id,
                "service_records": service_records,
                "after": after,
                "limit": limit,
            },
        )
        return answer

    def iter_list_evidence(
        self,
        *,
        matter_id: str | None = None,
        service_records: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.EvidenceView]:
        """All of “list_evidence”, page after page."""
        yield from self._pages(
            models.EvidencePage,
            "/v1/evidence",
            "after",
            {"matter_id": matter_id, "service_records": service_records, "after": after, "limit": limit},
        )

    def show_evidence(self, evidence_id: str) -> models.EvidenceView:
        """Where a piece of evidence stands."""
        answer: models.EvidenceView = self._ask(
            models.EvidenceView, "GET", f"/v1/evidence/{part(evidence_id)}"
        )
        return answer

    def anchor_now(self, evidence_id: str) -> models.EvidenceView:
        """Close the batch as soon as the evidence is registered, whatever the timers say."""
        answer: models.EvidenceView = self._ask(
            models.EvidenceView, "POST", f"/v1/evidence/{part(evidence_id)}/anchor"
        )
        return answer

    def show_anchors_of_evidence(self, evidence_id: str) -> list[models.AnchorView]:
        """The batch of a piece of evidence on its chains; nothing as long as it is in no batch."""
        answer: list[models.AnchorView] = self._ask(
            list[models.AnchorView], "GET", f"/v1/evidence/{part(evidence_id)}/anchors"
        )
        return answer

    def download_bundle(self, evidence_id: str, to: Path, *, expect: str | None = None) -> Path:
        """The proof bundle, as complete as it is now."""
        return self._download(to, expect, f"/v1/evidence/{part(evidence_id)}/bundle")

    def show_certificate(self, evidence_id: str) -> models.CertificateView:
        """The current certificate of the default edition."""
        answer: models.CertificateView = self._ask(
            models.CertificateView, "GET", f"/v1/evidence/{part(evidence_id)}/certificate"
        )
        return answer

    def order_certificate(
        self, evidence_id: str, *, idempotency_key: str | None = None
    ) -> models.EvidenceView:
        """Ask for a certificate of the default edition; it is issued when the evidence is anchored."""
        answer: models.EvidenceView = self._ask(
            models.EvidenceView,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/certificate",
            key=idempotency_key,
            creates=True,
        )
        return answer

    def download_certificate(self, evidence_id: str, to: Path, *, expect: str | None = None) -> Path:
        """The sealed PDF of the current certificate of the default edition."""
        return self._download(to, expect, f"/v1/evidence/{part(evidence_id)}/certificate.pdf")

    def list_of_evidence(self, evidence_id: str) -> list[models.CertificateView]:
        """All certificates of a piece of evidence, by number."""
        answer: list[models.CertificateView] = self._ask(
            list[models.CertificateView], "GET", f"/v1/evidence/{part(evidence_id)}/certificates"
        )
        return answer

    def order_edition(
        self, evidence_id: str, body: models.NewCertificate, *, idempotency_key: str | None = None
    ) -> models.CertificateOrderView:
        """Ask for a certificate of an edition. Where one is current, or ordered already, the answer is
        that one's order: repeating the request issues nothing twice.
        """
        answer: models.CertificateOrderView = self._ask(
            models.CertificateOrderView,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/certificates",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def show_custody(self, evidence_id: str) -> list[dict[str, Any]]:
        """The custody log, oldest event first."""
        answer: list[dict[str, Any]] = self._ask(
            list[dict[str, Any]], "GET", f"/v1/evidence/{part(evidence_id)}/custody"
        )
        return answer

    def list_declarations(self, evidence_id: str) -> models.DeclarationsView:
        """Which declarations there are, and who may sign them as the custody log stands."""
        answer: models.DeclarationsView = self._ask(
            models.DeclarationsView, "GET", f"/v1/evidence/{part(evidence_id)}/declarations"
        )
        return answer

    def download_declaration(
        self,
        evidence_id: str,
        form: str,
        to: Path,
        *,
        expect: str | None = None,
        person: str,
        name: str,
        language: Literal["en", "zh", "en+zh"] | None = None,
    ) -> Path:
        """A draft, not signed, filled for one person; noted in the custody log."""
        return self._download(
            to,
            expect,
            f"/v1/evidence/{part(evidence_id)}/declarations/{part(form)}.pdf",
            query={"person": person, "name": name, "language": language},
        )

    def ask_for_deletion(
        self, evidence_id: str, body: models.Because, *, idempotency_key: str | None = None
    ) -> models.RequestView:
        """Ask for the deletion of a piece of evidence's files; another person has to approve it."""
        answer: models.RequestView = self._ask(
            models.RequestView,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/deletion",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def order_one(
        self, evidence_id: str, body: models.NewExhibit, *, idempotency_key: str | None = None
    ) -> models.ExhibitView:
        """Order an exhibit of a piece of evidence; it is made by the worker."""
        answer: models.ExhibitView = self._ask(
            models.ExhibitView,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/exhibit",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def list_files(self, evidence_id: str) -> list[models.FileView]:
        """The preserved files."""
        answer: list[models.FileView] = self._ask(
            list[models.FileView], "GET", f"/v1/evidence/{part(evidence_id)}/files"
        )
        return answer

    def download_file(self, evidence_id: str, path: str, to: Path, *, expect: str | None = None) -> Path:
        """One preserved file; the release is noted in the custody log."""
        return self._download(to, expect, f"/v1/evidence/{part(evidence_id)}/files/{parts(path)}")

    def list_evidence_holds(
        self, evidence_id: str, *, after: str | None = None, limit: int | None = None
    ) -> models.HoldPage:
        """Holds on a piece of evidence and on its matter, lifted ones included, by id."""
        answer: models.HoldPage = self._ask(
            models.HoldPage,
            "GET",
            f"/v1/evidence/{part(evidence_id)}/holds",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_list_evidence_holds(
        self, evidence_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.HoldView]:
        """All of “list_evidence_holds”, page after page."""
        yield from self._pages(
            models.HoldPage,
            f"/v1/evidence/{part(evidence_id)}/holds",
            "after",
            {"after": after, "limit": limit},
        )

    def hold_evidence(
        self, evidence_id: str, body: models.Because, *, idempotency_key: str | None = None
    ) -> models.HoldView:
        """Place a legal hold on a piece of evidence: it is not deleted while one stands."""
        answer: models.HoldView = self._ask(
            models.HoldView,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/holds",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def lift_evidence_hold(self, evidence_id: str, hold_id: str, *, reason: str) -> models.HoldView:
        """Lift a hold on a piece of evidence; the first time counts."""
        answer: models.HoldView = self._ask(
            models.HoldView,
            "DELETE",
            f"/v1/evidence/{part(evidence_id)}/holds/{part(hold_id)}",
            query={"reason": reason},
        )
        return answer

    def download_receipt(self, evidence_id: str, to: Path, *, expect: str | None = None) -> Path:
        """The signed intake receipt, byte for byte as it was given."""
        return self._download(to, expect, f"/v1/evidence/{part(evidence_id)}/receipt")

    def list_release_links(
        self, evidence_id: str, *, after: str | None = None, limit: int | None = None
    ) -> models.ReleaseLinkPage:
        """Release links of a piece of evidence by id, used and revoked ones included."""
        answer: models.ReleaseLinkPage = self._ask(
            models.ReleaseLinkPage,
            "GET",
            f"/v1/evidence/{part(evidence_id)}/release-links",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_list_release_links(
        self, evidence_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.ReleaseLinkView]:
        """All of “list_release_links”, page after page."""
        yield from self._pages(
            models.ReleaseLinkPage,
            f"/v1/evidence/{part(evidence_id)}/release-links",
            "after",
            {"after": after, "limit": limit},
        )

    def make_release_link(
        self, evidence_id: str, body: models.NewReleaseLink, *, idempotency_key: str | None = None
    ) -> models.MadeReleaseLink:
        """Make an address under which one thing is given out without a key. Its path is in this answer
        and nowhere else: a repetition under the same key makes no second link and is not told the
        path again. Where the organisation's rule is two persons, it opens after the approval of the
        request that is named.
        """
        answer: models.MadeReleaseLink = self._ask(
            models.MadeReleaseLink,
            "POST",
            f"/v1/evidence/{part(evidence_id)}/release-links",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def revoke_release_link(self, evidence_id: str, link_id: str) -> models.ReleaseLinkView:
        """Have a link open nothing any more; the first time counts."""
        answer: models.ReleaseLinkView = self._ask(
            models.ReleaseLinkView,
            "DELETE",
            f"/v1/evidence/{part(evidence_id)}/release-links/{part(link_id)}",
        )
        return answer

    def show_retention(self, evidence_id: str) -> models.RetentionView:
        """How long a piece of evidence is kept at least."""
        answer: models.RetentionView = self._ask(
            models.RetentionView, "GET", f"/v1/evidence/{part(evidence_id)}/retention"
        )
        return answer

    def set_retention(self, evidence_id: str, body: models.NewRetention) -> models.RetentionView:
        """Keep a piece of evidence until a time at least; while a hold stands it is only extended."""
        answer: models.RetentionView = self._ask(
            models.RetentionView, "PUT", f"/v1/evidence/{part(evidence_id)}/retention", body=body
        )
        return answer

    def order_several(
        self, body: models.NewExhibitOfSeveral, *, idempotency_key: str | None = None
    ) -> models.ExhibitView:
        """Order one exhibit of several pieces of evidence, each in its folder."""
        answer: models.ExhibitView = self._ask(
            models.ExhibitView, "POST", "/v1/exhibits", body=body, key=idempotency_key, creates=True
        )
        return answer

    def show_exhibit(self, exhibit_id: str) -> models.ExhibitView:
        """Where an exhibit stands."""
        answer: models.ExhibitView = self._ask(models.ExhibitView, "GET", f"/v1/exhibits/{part(exhibit_id)}")
        return answer

    def download_exhibit(self, exhibit_id: str, to: Path, *, expect: str | None = None) -> Path:
        """The package of an exhibit; who takes it is noted in the custody log of each piece of
        evidence in it.
        """
        return self._download(to, expect, f"/v1/exhibits/{part(exhibit_id)}/exhibit.zip")

    def list_matters(
        self, *, reference: str | None = None, after: str | None = None, limit: int | None = None
    ) -> models.MatterPage:
        """Matters, by id."""
        answer: models.MatterPage = self._ask(
            models.MatterPage,
            "GET",
            "/v1/matters",
            query={"reference": reference, "after": after, "limit": limit},
        )
        return answer

    def iter_list_matters(
        self, *, reference: str | None = None, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.MatterView]:
        """All of “list_matters”, page after page."""
        yield from self._pages(
            models.MatterPage,
            "/v1/matters",
            "after",
            {"reference": reference, "after": after, "limit": limit},
        )

    def register_matter(
        self, body: models.NewMatter, *, idempotency_key: str | None = None
    ) -> models.MatterView:
        """Register a matter."""
        answer: models.MatterView = self._ask(
            models.MatterView, "POST", "/v1/matters", body=body, key=idempotency_key, creates=True
        )
        return answer

    def show_matter(self, matter_id: str) -> models.MatterView:
        """A matter."""
        answer: models.MatterView = self._ask(models.MatterView, "GET", f"/v1/matters/{part(matter_id)}")
        return answer

    def change_matter(self, matter_id: str, body: models.MatterChange) -> models.MatterView:
        """Change a matter. Manifests that are sealed already go on saying what they say."""
        answer: models.MatterView = self._ask(
            models.MatterView, "PATCH", f"/v1/matters/{part(matter_id)}", body=body
        )
        return answer

    def list_matter_holds(
        self, matter_id: str, *, after: str | None = None, limit: int | None = None
    ) -> models.HoldPage:
        """Holds on a matter, lifted ones included, by id."""
        answer: models.HoldPage = self._ask(
            models.HoldPage,
            "GET",
            f"/v1/matters/{part(matter_id)}/holds",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_list_matter_holds(
        self, matter_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.HoldView]:
        """All of “list_matter_holds”, page after page."""
        yield from self._pages(
            models.HoldPage, f"/v1/matters/{part(matter_id)}/holds", "after", {"after": after, "limit": limit}
        )

    def hold_matter(
        self, matter_id: str, body: models.Because, *, idempotency_key: str | None = None
    ) -> models.HoldView:
        """Place a legal hold on all evidence of a matter, what comes later included."""
        answer: models.HoldView = self._ask(
            models.HoldView,
            "POST",
            f"/v1/matters/{part(matter_id)}/holds",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def lift_matter_hold(self, matter_id: str, hold_id: str, *, reason: str) -> models.HoldView:
        """Lift a hold on a matter; the first time counts. Holds on single pieces of evidence still
        stand.
        """
        answer: models.HoldView = self._ask(
            models.HoldView,
            "DELETE",
            f"/v1/matters/{part(matter_id)}/holds/{part(hold_id)}",
            query={"reason": reason},
        )
        return answer

    def show_organisation(self) -> models.OrganisationView:
        """The caller's organisation."""
        answer: models.OrganisationView = self._ask(models.OrganisationView, "GET", "/v1/organisation")
        return answer

    def list_administration(self, *, after: int | None = None, limit: int | None = None) -> models.EventPage:
        """What administrators did, oldest first; nobody can edit it."""
        answer: models.EventPage = self._ask(
            models.EventPage, "GET", "/v1/organisation/log", query={"after": after, "limit": limit}
        )
        return answer

    def iter_list_administration(
        self, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[models.EventView]:
        """All of “list_administration”, page after page."""
        yield from self._pages(
            models.EventPage, "/v1/organisation/log", "after", {"after": after, "limit": limit}
        )

    def list_members(self, *, after: str | None = None, limit: int | None = None) -> models.MemberPage:
        """Members, by id; those who have left included."""
        answer: models.MemberPage = self._ask(
            models.MemberPage, "GET", "/v1/organisation/members", query={"after": after, "limit": limit}
        )
        return answer

    def iter_list_members(
        self, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.MemberView]:
        """All of “list_members”, page after page."""
        yield from self._pages(
            models.MemberPage, "/v1/organisation/members", "after", {"after": after, "limit": limit}
        )

    def add_member(self, body: models.NewMember, *, idempotency_key: str | None = None) -> models.MemberView:
        """Add somebody to the organisation."""
        answer: models.MemberView = self._ask(
            models.MemberView,
            "POST",
            "/v1/organisation/members",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def show_member(self, member_id: str) -> models.MemberView:
        """One member."""
        answer: models.MemberView = self._ask(
            models.MemberView, "GET", f"/v1/organisation/members/{part(member_id)}"
        )
        return answer

    def change_member(self, member_id: str, body: models.NewRoles) -> models.MemberView:
        """Give a member other roles. The last administrator stays one."""
        answer: models.MemberView = self._ask(
            models.MemberView, "PATCH", f"/v1/organisation/members/{part(member_id)}", body=body
        )
        return answer

    def remove_member(self, member_id: str) -> None:
        """End a membership: keys and tokens of the member open nothing any more. His name stays his."""
        self._ask(None, "DELETE", f"/v1/organisation/members/{part(member_id)}")

    def list_keys(
        self, member_id: str, *, after: str | None = None, limit: int | None = None
    ) -> models.KeyPage:
        """Keys of a member, by id; revoked ones included, and none of them shown."""
        answer: models.KeyPage = self._ask(
            models.KeyPage,
            "GET",
            f"/v1/organisation/members/{part(member_id)}/keys",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_list_keys(
        self, member_id: str, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.KeyView]:
        """All of “list_keys”, page after page."""
        yield from self._pages(
            models.KeyPage,
            f"/v1/organisation/members/{part(member_id)}/keys",
            "after",
            {"after": after, "limit": limit},
        )

    def issue_key(
        self, member_id: str, body: models.NewKey, *, idempotency_key: str | None = None
    ) -> models.IssuedKeyView:
        """Make an API key for a member; it is shown in this answer, and not when the request is
        repeated.
        """
        answer: models.IssuedKeyView = self._ask(
            models.IssuedKeyView,
            "POST",
            f"/v1/organisation/members/{part(member_id)}/keys",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def show_key(self, member_id: str, key_id: str) -> models.KeyView:
        """One key of a member, without the key."""
        answer: models.KeyView = self._ask(
            models.KeyView, "GET", f"/v1/organisation/members/{part(member_id)}/keys/{part(key_id)}"
        )
        return answer

    def remove_key(self, member_id: str, key_id: str) -> None:
        """Revoke a key."""
        self._ask(None, "DELETE", f"/v1/organisation/members/{part(member_id)}/keys/{part(key_id)}")

    def show_release_rule(self) -> models.ReleaseRule:
        """Whether two persons decide about releases; so it is until somebody says otherwise."""
        answer: models.ReleaseRule = self._ask(models.ReleaseRule, "GET", "/v1/organisation/release-rule")
        return answer

    def set_release_rule(self, body: models.ReleaseRule) -> models.ReleaseRule:
        """Say whether two persons decide about releases; links that were made before stay as they are."""
        answer: models.ReleaseRule = self._ask(
            models.ReleaseRule, "PUT", "/v1/organisation/release-rule", body=body
        )
        return answer

    def list_organisations(
        self, *, after: str | None = None, limit: int | None = None
    ) -> models.OrganisationPage:
        """The organisations of the installation, by id."""
        answer: models.OrganisationPage = self._ask(
            models.OrganisationPage, "GET", "/v1/organisations", query={"after": after, "limit": limit}
        )
        return answer

    def iter_list_organisations(
        self, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.OrganisationView]:
        """All of “list_organisations”, page after page."""
        yield from self._pages(
            models.OrganisationPage, "/v1/organisations", "after", {"after": after, "limit": limit}
        )

    def register_organisation(
        self, body: models.NewOrganisation, *, idempotency_key: str | None = None
    ) -> models.RegisteredView:
        """Register an organisation; with its first administrator if one is named, whose key is shown
        once.
        """
        answer: models.RegisteredView = self._ask(
            models.RegisteredView, "POST", "/v1/organisations", body=body, key=idempotency_key, creates=True
        )
        return answer

    def find_proofs(
        self, *, sha256: str, after: str | None = None, limit: int | None = None
    ) -> models.ProofPage:
        """Everything of yours that a digest leads to, and where each is in its batch. The digest is
        that of a registered file, of a captured or uploaded one, or of a manifest.
        """
        answer: models.ProofPage = self._ask(
            models.ProofPage, "GET", "/v1/proofs", query={"sha256": sha256, "after": after, "limit": limit}
        )
        return answer

    def iter_find_proofs(
        self, *, sha256: str, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.ProofView]:
        """All of “find_proofs”, page after page."""
        yield from self._pages(
            models.ProofPage, "/v1/proofs", "after", {"sha256": sha256, "after": after, "limit": limit}
        )

    def download_key(self, to: Path, *, expect: str | None = None) -> Path:
        """Public key that receipts are signed with now (Ed25519, PEM); no API key is needed."""
        return self._download(to, expect, "/v1/receipt-key")

    def show_entry(self, number: str) -> models.RegisterEntry:
        """The status of a certificate, with the digests of its PDFs and of its evidence; no API key is
        needed.
        """
        answer: models.RegisterEntry = self._ask(models.RegisterEntry, "GET", f"/v1/register/{part(number)}")
        return answer

    def register_list(
        self, body: models.NewRegistrationList, *, idempotency_key: str | None = None
    ) -> models.AcceptedRegistrationList:
        """Register up to 10,000 digests of files that stay with you. Each row is accepted or refused
        by itself; when this answers, every accepted row is durable, and one receipt promises a
        batch for all of them. A repetition under the same key has to have the same bytes.
        """
        answer: models.AcceptedRegistrationList = self._ask(
            models.AcceptedRegistrationList,
            "POST",
            "/v1/registration-lists",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def show_registration_list(self, registration_list_id: str) -> models.RegistrationListView:
        """A list, and where its rows stand, counted."""
        answer: models.RegistrationListView = self._ask(
            models.RegistrationListView, "GET", f"/v1/registration-lists/{part(registration_list_id)}"
        )
        return answer

    def show_registration_rows(
        self, registration_list_id: str, *, after: int | None = None, limit: int | None = None
    ) -> models.RegistrationRows:
        """The rows of a list in their order, each with where it stands."""
        answer: models.RegistrationRows = self._ask(
            models.RegistrationRows,
            "GET",
            f"/v1/registration-lists/{part(registration_list_id)}/rows",
            query={"after": after, "limit": limit},
        )
        return answer

    def iter_show_registration_rows(
        self, registration_list_id: str, *, after: int | None = None, limit: int | None = None
    ) -> Iterator[models.ListedRow]:
        """All of “show_registration_rows”, page after page."""
        yield from self._pages(
            models.RegistrationRows,
            f"/v1/registration-lists/{part(registration_list_id)}/rows",
            "after",
            {"after": after, "limit": limit},
        )

    def register(
        self, body: models.NewRegistration, *, idempotency_key: str | None = None
    ) -> models.AcceptedRegistration:
        """Register the digest of a file that stays with you. When this answers, the registration is
        durable; soon after it is evidence of kind `digest`.
        """
        answer: models.AcceptedRegistration = self._ask(
            models.AcceptedRegistration,
            "POST",
            "/v1/registrations",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def show_registration(self, registration_id: str) -> models.RegistrationView:
        """A registered digest, and where its evidence stands."""
        answer: models.RegistrationView = self._ask(
            models.RegistrationView, "GET", f"/v1/registrations/{part(registration_id)}"
        )
        return answer

    def open_release_link(self, token: str) -> dict[str, Any]:
        """What was released under this address, without a key; counted, and noted in the custody log.
        An address that is unknown, revoked, used up, not approved or too old is answered in the
        same way.
        """
        answer: dict[str, Any] = self._ask(dict[str, Any], "GET", f"/v1/release/{part(token)}")
        return answer

    def look_at_release_link(self, token: str) -> dict[str, str]:
        """Whether something is released under this address; not counted, not noted."""
        return self._look(f"/v1/release/{part(token)}")

    def list_requests(
        self,
        *,
        state: Literal["requested", "approved", "refused", "stopped", "executed"] | None = None,
        evidence_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> models.RequestPage:
        """Requests by id, all or those in a state or about a piece of evidence."""
        answer: models.RequestPage = self._ask(
            models.RequestPage,
            "GET",
            "/v1/requests",
            query={"state": state, "evidence_id": evidence_id, "after": after, "limit": limit},
        )
        return answer

    def iter_list_requests(
        self,
        *,
        state: Literal["requested", "approved", "refused", "stopped", "executed"] | None = None,
        evidence_id: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.RequestView]:
        """All of “list_requests”, page after page."""
        yield from self._pages(
            models.RequestPage,
            "/v1/requests",
            "after",
            {"state": state, "evidence_id": evidence_id, "after": after, "limit": limit},
        )

    def show_request(self, request_id: str) -> models.RequestView:
        """A request."""
        answer: models.RequestView = self._ask(models.RequestView, "GET", f"/v1/requests/{part(request_id)}")
        return answer

    def approve_request(self, request_id: str, body: models.Because) -> models.RequestView:
        """Approve what another person asked for. A deletion is then carried out, unless a hold comes
        first.
        """
        answer: models.RequestView = self._ask(
            models.RequestView, "POST", f"/v1/requests/{part(request_id)}/approve", body=body
        )
        return answer

    def refuse_request(self, request_id: str, body: models.Because) -> models.RequestView:
        """Refuse what another person asked for."""
        answer: models.RequestView = self._ask(
            models.RequestView, "POST", f"/v1/requests/{part(request_id)}/refuse", body=body
        )
        return answer

    def search_evidence(
        self,
        *,
        url: str | None = None,
        seller: str | None = None,
        listing_id: str | None = None,
        sha256: str | None = None,
        outcome: Literal[
            "captured", "challenge", "auth_wall", "removed", "http_error", "blocked", "partial", "received"
        ]
        | None = None,
        status: Literal["accepted", "captured", "sealed", "stamped", "registered", "anchored", "certified"]
        | None = None,
        kind: Literal["platform_capture", "upload", "digest"] | None = None,
        matter_id: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        service_records: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> models.EvidencePage:
        """Evidence that fits everything that is asked for, newest first; upper and lower case are the
        same.
        """
        answer: models.EvidencePage = self._ask(
            models.EvidencePage,
            "GET",
            "/v1/search",
            query={
                "url": url,
                "seller": seller,
                "listing_id": listing_id,
                "sha256": sha256,
                "outcome": outcome,
                "status": status,
                "kind": kind,
                "matter_id": matter_id,
                "since": since,
                "before": before,
                "service_records": service_records,
                "after": after,
                "limit": limit,
            },
        )
        return answer

    def iter_search_evidence(
        self,
        *,
        url: str | None = None,
        seller: str | None = None,
        listing_id: str | None = None,
        sha256: str | None = None,
        outcome: Literal[
            "captured", "challenge", "auth_wall", "removed", "http_error", "blocked", "partial", "received"
        ]
        | None = None,
        status: Literal["accepted", "captured", "sealed", "stamped", "registered", "anchored", "certified"]
        | None = None,
        kind: Literal["platform_capture", "upload", "digest"] | None = None,
        matter_id: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        service_records: bool | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Iterator[models.EvidenceView]:
        """All of “search_evidence”, page after page."""
        yield from self._pages(
            models.EvidencePage,
            "/v1/search",
            "after",
            {
                "url": url,
                "seller": seller,
                "listing_id": listing_id,
                "sha256": sha256,
                "outcome": outcome,
                "status": status,
                "kind": kind,
                "matter_id": matter_id,
                "since": since,
                "before": before,
                "service_records": service_records,
                "after": after,
                "limit": limit,
            },
        )

    def upload(
        self,
        body: bytes | Path,
        *,
        matter_id: str,
        name: str,
        certificate: bool | None = None,
        urgent: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.AcceptedView:
        """Preserve a file as *uploaded* evidence; it is never shown as captured by the service."""
        answer: models.AcceptedView = self._ask(
            models.AcceptedView,
            "POST",
            "/v1/uploads",
            query={"matter_id": matter_id, "name": name, "certificate": certificate, "urgent": urgent},
            body=body,
            kind="application/octet-stream",
            key=idempotency_key,
            creates=True,
        )
        return answer

    def list_uploads(self, *, after: str | None = None, limit: int | None = None) -> models.UploadSessionPage:
        """The caller's uploads that are not complete, by id."""
        answer: models.UploadSessionPage = self._ask(
            models.UploadSessionPage, "GET", "/v1/uploads/sessions", query={"after": after, "limit": limit}
        )
        return answer

    def iter_list_uploads(
        self, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.UploadSessionView]:
        """All of “list_uploads”, page after page."""
        yield from self._pages(
            models.UploadSessionPage, "/v1/uploads/sessions", "after", {"after": after, "limit": limit}
        )

    def begin_upload(
        self, body: models.NewUploadSession, *, idempotency_key: str | None = None
    ) -> models.UploadSessionView:
        """Begin to upload a file in portions; its address is in ``Location``. Under the key of an
        upload that has ended none is begun: 404, and another key begins another one.
        """
        answer: models.UploadSessionView = self._ask(
            models.UploadSessionView,
            "POST",
            "/v1/uploads/sessions",
            body=body,
            key=idempotency_key,
            creates=True,
        )
        return answer

    def look_at_upload(self, session_id: str) -> dict[str, str]:
        """Where an upload has come to: ``Upload-Offset``."""
        return self._look(f"/v1/uploads/sessions/{part(session_id)}")

    def append_to_upload(
        self, session_id: str, body: bytes | Path, *, upload_offset: str | None = None
    ) -> None:
        """Append a portion. When this answers, it is on disk; what arrived of one that broke off is,
        too. Another offset than the upload's own is answered with 409 and that one.
        """
        self._ask(
            None,
            "PATCH",
            f"/v1/uploads/sessions/{part(session_id)}",
            body=body,
            kind="application/partial-upload",
            fields={"upload-offset": upload_offset},
        )

    def end_upload(self, session_id: str) -> None:
        """Forget an upload that is not complete, with what has arrived of it; 409 while a request of
        it runs.
        """
        self._ask(None, "DELETE", f"/v1/uploads/sessions/{part(session_id)}")

    def complete_upload(self, session_id: str) -> models.AcceptedView:
        """Have the whole file accepted, as by one request; repeating it gives the same receipt."""
        answer: models.AcceptedView = self._ask(
            models.AcceptedView, "POST", f"/v1/uploads/sessions/{part(session_id)}/complete"
        )
        return answer

    def list_webhooks(self, *, after: str | None = None, limit: int | None = None) -> models.WebhookPage:
        """The organisation's webhooks, by id."""
        answer: models.WebhookPage = self._ask(
            models.WebhookPage, "GET", "/v1/webhooks", query={"after": after, "limit": limit}
        )
        return answer

    def iter_list_webhooks(
        self, *, after: str | None = None, limit: int | None = None
    ) -> Iterator[models.WebhookView]:
        """All of “list_webhooks”, page after page."""
        yield from self._pages(models.WebhookPage, "/v1/webhooks", "after", {"after": after, "limit": limit})

    def add_webhook(
        self, body: models.NewWebhook, *, idempotency_key: str | None = None
    ) -> models.SecretView:
        """Register an endpoint. Its secret is shown in this answer and never again."""
        answer: models.SecretView = self._ask(
            models.SecretView, "POST", "/v1/webhooks", body=body, key=idempotency_key, creates=True
        )
        return answer

    def show_webhook(self, webhook_id: str) -> models.WebhookView:
        """Where a webhook stands."""
        answer: models.WebhookView = self._ask(models.WebhookView, "GET", f"/v1/webhooks/{part(webhook_id)}")
        return answer

    def change_webhook(self, webhook_id: str, body: models.ChangedWebhook) -> models.WebhookView:
        """Change an endpoint's address or types, disable it or enable it again."""
        answer: models.WebhookView = self._ask(
            models.WebhookView, "PATCH", f"/v1/webhooks/{part(webhook_id)}", body=body
        )
        return answer

    def delete_webhook(self, webhook_id: str) -> None:
        """Forget an endpoint and what became of telling it."""
        self._ask(None, "DELETE", f"/v1/webhooks/{part(webhook_id)}")

    def list_deliveries(
        self, webhook_id: str, *, before: int | None = None, limit: int | None = None
    ) -> models.DeliveryPage:
        """What became of telling an endpoint of events, the newest first."""
        answer: models.DeliveryPage = self._ask(
            models.DeliveryPage,
            "GET",
            f"/v1/webhooks/{part(webhook_id)}/deliveries",
            query={"before": before, "limit": limit},
        )
        return answer

    def iter_list_deliveries(
        self, webhook_id: str, *, before: int | None = None, limit: int | None = None
    ) -> Iterator[models.DeliveryView]:
        """All of “list_deliveries”, page after page."""
        yield from self._pages(
            models.DeliveryPage,
            f"/v1/webhooks/{part(webhook_id)}/deliveries",
            "before",
            {"before": before, "limit": limit},
        )

    def replay_events(self, webhook_id: str, body: models.Replay) -> models.ReplayView:
        """Tell an endpoint again what happened, under the same message ids."""
        answer: models.ReplayView = self._ask(
            models.ReplayView, "POST", f"/v1/webhooks/{part(webhook_id)}/replay", body=body
        )
        return answer

    def rotate_secret(self, webhook_id: str, *, overlap_hours: float | None = None) -> models.SecretView:
        """Give an endpoint another secret. For a while both sign every request."""
        answer: models.SecretView = self._ask(
            models.SecretView,
            "POST",
            f"/v1/webhooks/{part(webhook_id)}/rotate",
            query={"overlap_hours": overlap_hours},
        )
        return answer

    def try_webhook(self, webhook_id: str) -> models.WebhookView:
        """Send an endpoint an event of type “webhook.test”; its deliveries say what became of it."""
        answer: models.WebhookView = self._ask(
            models.WebhookView, "POST", f"/v1/webhooks/{part(webhook_id)}/test"
        )
        return answer
