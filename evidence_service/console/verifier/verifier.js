/** The order of the steps (verification.md, sections 4 and 8 to 11). Nothing is read from a network. */
import { parseBundle } from "./bundle.js";
import { checkAnchor, checkState } from "./chain.js";
import { checkRevocation } from "./crl.js";
import { UsageError, wrong } from "./errors.js";
import { commitmentOf } from "./formats.js";
import { openPdf } from "./pdf.js";
import { checkValidation, judgeStamps, restingProofs } from "./longterm.js";
import { findChain, isDemonstrationChain, isDemonstrationRoot, parsePolicy, trusts } from "./policy.js";
import { checkAttachments, checkCustody, checkFiles, checkInclusion, checkTimes, copiesOf } from "./record.js";
import { endedAt, judgeChain, readRenewals } from "./renewals.js";
import { Checks, exitCodeOf, verdictOf } from "./report.js";
import { judgeSeal, readSeal, readStamps } from "./seal.js";
import { judgeToken, readToken } from "./token.js";

export { parsePolicy, trusts, UsageError };

/**
 * @typedef {object} Material
 * @property {string} subject name for people
 * @property {Uint8Array | null} [pdf] a sealed certificate; its attached bundle is verified
 * @property {Uint8Array | null} [bundle] a bare bundle; beside a PDF it counts as a file that is given
 * @property {{name: string, bytes: Uint8Array}[]} [files] evidence files
 * @property {string[]} [digests] hexadecimal
 *
 * @typedef {object} Result
 * @property {string} subject
 * @property {import("./report.js").Verdict} verdict
 * @property {number} exit_code
 * @property {import("./report.js").Check[]} checks
 * @property {object | null} evidence what was confirmed; null when no bundle could be read
 * @property {string[]} trusts everything trusted
 */

/**
 * Verify one subject. Whatever the material holds, there is a result: every refusal becomes a check.
 * @param {Material} material
 * @param {import("./policy.js").Policy} policy of {@link parsePolicy}
 * @param {Date} now judges a seal without a trusted time stamp
 * @returns {Promise<Result>}
 */
export async function verify(material, policy, now) {
  const run = new Run(material, policy, now.getTime());
  await run.all();
  const checks = run.checks.list();
  const verdict = verdictOf(checks, run.isDemonstration());
  return { subject: material.subject, verdict, exit_code: exitCodeOf(verdict), checks, evidence: run.evidence, trusts: trusts(policy) };
}

const iso = (time) => new Date(Math.floor(time)).toISOString();

/** What to report of a token. */
const shown = ({ time, path, found }) => ({ time: iso(time), authority: found?.voucher.name ?? path[0].name, trusted: found !== null });

/** State of one verification. */
class Run {
  constructor(material, policy, now) {
    this.files = material.files ?? [];
    this.digests = material.digests ?? [];
    this.pdf = material.pdf ?? null;
    this.bundleBytes = material.bundle ?? null;
    if (this.pdf !== null && this.bundleBytes !== null) {
      this.files = [...this.files, { name: "bundle", bytes: this.bundleBytes }];
    }
    this.policy = policy;
    this.now = now;
    this.checks = new Checks();
    this.evidence = null;
    this.seal = null;
    this.attachments = null;
    /** What the first link is over (section 8, 4.1): the manifest, or its batch's header. */
    this.firstOver = "manifest";
    /** Of the parts that vouch: whether each is a demonstration. */
    this.vouching = [];
  }

  isDemonstration() {
    return this.vouching.length === 0 || this.vouching.includes(true) || this.evidence?.purpose !== "evidence";
  }

  /** Run a step; what it returns says how it went, what it throws is a refusal. */
  async step(id, action) {
    try {
      const { status = "pass", why, family } = await action();
      this.checks.add(id, status, why, family);
    } catch (error) {
      this.checks.refuse(id, error);
    }
    return this.checks.status(id) === "pass";
  }

  async all() {
    if (this.pdf !== null) {
      if (!(await this.step("7.1", () => this.openCertificate()))) return;
      await this.judgeProofs();
      await this.step("7.2", () => this.judgeSeal());
      await this.checkLongTerm();
    }
    if (this.bundleBytes === null) return;
    if (!(await this.step("2.1", () => this.readBundle()))) return;
    const { bundle } = this;
    await this.step("1.1", () => this.checkFiles());
    await this.step("2.2", () => (checkCustody(bundle), { why: `${bundle.value.custody.length} events in a chain` }));
    const isIncluded = await this.step("3.1", () => this.checkInclusion());
    if (await this.step("4.1", () => this.readTokens(isIncluded))) {
      await this.step("4.2", () => this.judgeTokens());
      await this.checkLater();
    }
    if (bundle.attestations > 0) this.checks.add("4.6", "not_checked", `${bundle.attestations} OpenTimestamps proofs over the batch header, not judged here`);
    // The commitment of a batch this manifest is not in says nothing about it.
    if (isIncluded || this.checks.status("3.1") === "pending") await this.checkChain();
    await this.step("4.3", () => this.checkTimes());
    if (this.pdf !== null) {
      await this.step("7.3", () => (checkAttachments(this.attachments, bundle), { why: `${this.attachments.size} attachments, each as the bundle says` }));
    }
  }

  async openCertificate() {
    const pdf = openPdf(this.pdf);
    this.seal = await readSeal(pdf);
    if (!pdf.attachments.has("bundle.json")) wrong("the certificate has no attachment bundle.json");
    this.opened = pdf;
    this.attachments = pdf.attachments;
    this.bundleBytes = pdf.attachments.get("bundle.json");
    return { why: `signed by ${this.seal.path[0].name}, every byte of it covered, ${pdf.validation.length} later parts of validation data, ${pdf.stamps.length} document time stamps` };
  }

  /** The seal's time stamp and those of the document; without these when one does not hold. */
  async judgeProofs() {
    const { token } = this.seal;
    let later = [];
    if (this.opened.stamps.length > 0) {
      try {
        later = await readStamps(this.opened, token);
      } catch (error) {
        this.checks.refuse("7.5", error);
      }
    }
    this.stamps = later.length;
    this.proofs = await Promise.all([...(token === null ? [] : [token]), ...later].map((proof) => judgeToken(proof, this.policy)));
  }

  async judgeSeal() {
    const { token, path } = this.seal;
    const first = this.proofs.find(({ found }) => found !== null);
    this.moment = first?.time ?? this.now;
    this.issuer = await judgeSeal(this.seal, this.policy, this.moment);
    this.sealEvidence = {
      signer: path[0].name,
      level: token === null ? "PAdES B-B" : "PAdES B-T",
      trusted: this.issuer !== null,
      issuer: this.issuer?.voucher.name ?? null,
      stamped_by: first?.found.voucher.name ?? null,
      signing_time: token === null ? null : iso(token.time),
      archive_timestamps: this.proofs.slice(this.proofs.length - this.stamps).map(shown),
    };
    if (this.issuer === null) wrong(`no seal issuer of the policy vouches for ${path[0].name} at ${iso(this.moment)}`);
    this.vouching.push(isDemonstrationRoot(this.policy.sealIssuers, this.issuer.root));
    return { why: `issued under ${this.issuer.voucher.name}` };
  }

  /** Checks 7.4 and 7.5, and the level that follows. */
  async checkLongTerm() {
    const { validation, stamps } = this.opened;
    if (this.stamps < stamps.length) return;
    if (this.stamps > 0) {
      await this.step("7.5", () => judgeStamps(this.proofs, this.stamps));
      for (const { found } of this.proofs.slice(-this.stamps)) if (found !== null) this.vouching.push(isDemonstrationRoot(this.policy.authorities, found.root));
    }
    if (validation.length === 0) return;
    const own = { name: "the seal", path: this.issuer?.path ?? this.seal.path, isTrusted: this.issuer !== null, made: this.moment, proved: this.moment };
    const resting = [own, ...restingProofs(this.proofs)];
    let complete;
    await this.step("7.4", async () => {
      const { complete: revision, ...result } = await checkValidation(validation, resting, resting.slice(0, resting.length - this.stamps));
      complete = revision;
      return result;
    });
    if (complete === undefined || this.seal.token === null) return;
    const isArchived = this.checks.status("7.5") === "pass" && complete < stamps.at(-1).revision;
    this.sealEvidence.level = isArchived ? "PAdES B-LTA" : "PAdES B-LT";
  }

  readBundle() {
    this.bundle = parseBundle(this.bundleBytes);
    const { evidence_id, purpose } = this.bundle.value.manifest;
    this.evidence = { evidence_id, purpose, timestamps: [], renewals: [], anchors: [], seal: this.sealEvidence ?? null };
    return { why: `format ${this.bundle.value.format}, canonical, checksum holds` };
  }

  checkFiles() {
    const copies = [...copiesOf(this.bundle).values(), ...(this.attachments?.values() ?? [])];
    return checkFiles(this.bundle, this.files, this.digests, copies);
  }

  checkInclusion() {
    const { inclusion, batch_header: header } = this.bundle.value;
    if (header === null) return { status: "pending", why: "the evidence is not in a closed batch yet" };
    checkInclusion(this.bundle);
    return { why: `entry ${inclusion.index + 1} of ${inclusion.size} in batch ${header.sequence}` };
  }

  async readTokens(isIncluded) {
    const { timestamps, manifest, header } = this.bundle;
    this.tokens = [];
    const tokens = [];
    for (const { of, token, lists } of timestamps) {
      if (of === "batch_header" && !isIncluded) continue;
      tokens.push({ of, lists, ...(await readToken(token, of === "manifest" ? manifest : header)) });
    }
    this.tokens = await Promise.all(tokens.map((token) => judgeToken(token, this.policy)));
    for (const token of this.tokens) this.evidence.timestamps.push({ of: token.of, ...shown(token) });
    if (this.firstLink().length > 0) return { why: `${tokens.length} tokens, each over the SHA-512 of the manifest or batch header` };
    const isDigest = this.bundle.value.manifest.kind === "digest";
    if (!isDigest) return { status: "pending", why: "no time stamp over the manifest yet" };
    if (tokens.length === 0) return { status: "pending", why: "no time stamp over the manifest, nor over the header of a batch it is in, yet" };
    // Those of the header are read when the manifest is in its batch alone.
    this.firstOver = "batch_header";
    return { why: `${tokens.length} tokens, each over the SHA-512 of the batch header: the time is proved through the batch` };
  }

  firstLink() {
    return this.tokens.filter((token) => token.of === this.firstOver);
  }

  /** What became of the time stamps afterwards: renewals, then lists of those who were revoked. */
  async checkLater() {
    const first = this.firstLink();
    const renewing = [];
    if (this.bundle.renewals.length > 0) await this.step("4.5", () => this.checkRenewals(first, renewing));
    else if (endedAt(first, this.now) !== null) {
      this.checks.add("4.5", "not_checked", `the authorities' certificates ended on ${iso(endedAt(first, this.now))}, and there is no renewal`);
    }
    if (this.bundle.value.format !== "evidence-bundle/1") await this.step("4.4", () => checkRevocation([...this.tokens, ...renewing]));
  }

  async checkRenewals(first, renewing) {
    const links = await readRenewals(this.bundle, first, this.policy);
    this.evidence.renewals = this.bundle.value.renewals.map(({ document: { kind, suite } }, at) => ({ kind, suite, timestamps: links[at].map(shown) }));
    renewing.push(...links.flat());
    for (const { found } of renewing) if (found !== null) this.vouching.push(isDemonstrationRoot(this.policy.authorities, found.root));
    return judgeChain([first, ...links], this.policy.minimum);
  }

  judgeTokens() {
    const found = this.firstLink().filter((token) => token.found !== null).map((token) => token.found);
    const authorities = new Set(found.map(({ voucher }) => voucher));
    for (const { root } of found) this.vouching.push(isDemonstrationRoot(this.policy.authorities, root));
    if (authorities.size < this.policy.minimum) wrong(`${authorities.size} of the ${this.policy.minimum} required authorities are trusted`);
    const through = this.firstOver === "manifest" ? "" : " through the batch";
    return { why: `stamped${through} by ${[...authorities].map((voucher) => voucher.name).join(", ")}` };
  }

  async checkChain() {
    const { anchors, batch_header: header } = this.bundle.value;
    if (anchors.length === 0) {
      this.checks.add("5.1", "pending", "not anchored yet");
      return;
    }
    const batch = { commitment: commitmentOf(this.bundle.header), size: header.size };
    let proved;
    const holds = await this.step("5.1", () => {
      proved = anchors.map((anchor) => ({ anchor, ...checkAnchor(anchor, batch) }));
      return { why: proved.map((item) => `${item.transaction} in block ${item.header.number}`).join(", ") };
    });
    if (!holds) return;
    this.proved = proved;
    await this.step("5.2", () => this.checkStates(batch));
    // A refusal for a limit or a version stands under 0.1 or 0.2, and leaves 5.2 without a result.
    if (this.checks.status("5.2") === undefined || this.checks.status("5.2") === "fail") {
      // Nor do its times count in 4.3 (section 8).
      this.proved = [];
      return;
    }
    for (const item of this.proved) item.chain = findChain(this.policy, item.anchor.chain_id, item.anchor.contract);
    await this.step("5.3", () => this.checkChains());
    await this.step("6.1", () => this.checkBlocks());
  }

  checkStates(batch) {
    for (const { anchor, header } of this.proved) if (anchor.state !== null) checkState(anchor, header, batch);
    if (this.proved.some(({ anchor }) => anchor.state === null)) return { status: "not_checked", why: "an anchor comes without a proof of the state" };
    return { why: "contract code and record proved from the state root" };
  }

  checkChains() {
    for (const { anchor } of this.proved) this.vouching.push(isDemonstrationChain(anchor.chain_id));
    for (const { anchor, chain } of this.proved) {
      if (chain === undefined || chain.code_hash !== anchor.code_hash) {
        wrong(`the policy does not name chain ${anchor.chain_id}, contract ${anchor.contract} with this code`);
      }
    }
    return { why: `${this.proved.map(({ chain }) => chain.name).join(", ")}: chain, contract and code named by the policy` };
  }

  /** Without nodes: by the checkpoints of the policy alone. */
  checkBlocks() {
    const states = this.proved.map(({ anchor, header, transaction, chain }) => {
      const points = (chain?.checkpoints ?? []).filter((point) => point.number === header.number.toString());
      let state = "unknown";
      if (points.length > 0) state = points.every((point) => point.hash === header.hash) ? "canonical" : "different";
      this.evidence.anchors.push({
        chain_id: anchor.chain_id,
        chain: chain?.name ?? null,
        contract: anchor.contract,
        submitter: anchor.submitter,
        transaction,
        block_number: header.number.toString(),
        block_hash: header.hash,
        block_time: iso(Number(header.time) * 1000),
        canonical: state === "canonical",
      });
      return { state, text: `block ${header.number} of chain ${anchor.chain_id}` };
    });
    const different = states.find(({ state }) => state === "different");
    if (different !== undefined) wrong(`${different.text} is another block according to the policy`);
    const unknown = states.find(({ state }) => state === "unknown");
    if (unknown !== undefined) return { status: "not_checked", why: `no checkpoint of the policy is about ${unknown.text}` };
    return { why: `${states.map(({ text }) => text).join(", ")}: a checkpoint of the policy` };
  }

  checkTimes() {
    const tokenTimes = this.tokens.map((token) => token.time);
    const blockTimes = (this.proved ?? []).map(({ header }) => Number(header.time) * 1000);
    if (tokenTimes.length + blockTimes.length === 0) return { status: "not_checked", why: "there is no outside time to compare with" };
    checkTimes(this.bundle, tokenTimes, blockTimes, this.firstOver === "batch_header");
    return { why: `capture clock, ${tokenTimes.length} tokens and ${blockTimes.length} blocks agree` };
  }
}
