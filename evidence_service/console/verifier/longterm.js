/** What was added to a seal for the long term (verification.md, section 10, checks 7.4 and 7.5). */
import { equal, toHex } from "./bytes.js";
import { BEFORE_ONLY, isMadeBy, issuedUnder, parseList, since } from "./crl.js";
import { overLimit, wrong } from "./errors.js";
import { parseKey, parseSignatureAlgorithm } from "./keys.js";
import { isSelfIssued, isSignedBy, parseCertificate } from "./x509.js";

/** Certificates that could have issued one list; each costs a verification. */
const MAX_ISSUERS = 8;

/**
 * A time stamp that a seal existed.
 * @typedef {import("./token.js").Token & {found: import("./path.js").Found | null}} Proof
 *
 * What rests on the certificates of a path: the seal, or a proof of it.
 * @typedef {object} Resting
 * @property {string} name
 * @property {import("./x509.js").Certificate[]} path signer first; with the root at its end when it is trusted
 * @property {boolean} isTrusted
 * @property {number} made time it is judged at, milliseconds since 1970
 * @property {number | null} proved until when it provably existed
 */

const endOf = ({ found }) => Math.min(...found.path.map((certificate) => certificate.notAfter));

/**
 * Check 7.5, once the time stamps were read: by whom, and whether in time.
 * @param {Proof[]} proofs the last ones are the document time stamps
 * @param {number} count how many those are
 * @returns {{status: "pass" | "fail", family: "trust", why: string}}
 */
export function judgeStamps(proofs, count) {
  const problems = [];
  for (const { found, path } of proofs.slice(-count)) if (found === null) problems.push(`no authority of the policy is ${path[0].name}`);
  for (let at = 1; at < proofs.length; at += 1) {
    if (proofs[at - 1].found !== null && endOf(proofs[at - 1]) < proofs[at].time) problems.push("what was stamped again had ended before");
  }
  if (problems.length > 0) return { status: "fail", family: "trust", why: problems.join("; ") };
  const until = new Date(endOf(proofs.at(-1))).toISOString();
  return { status: "pass", family: "trust", why: `${count} document time stamps; covered until ${until}` };
}

/**
 * @param {Proof[]} proofs
 * @returns {Resting[]} each known to have existed when the next trusted one was made
 */
export function restingProofs(proofs) {
  return proofs.map(({ time, path, found }, at) => ({
    name: `the time stamp by ${path[0].name}`,
    path: found?.path ?? path,
    isTrusted: found !== null,
    made: time,
    proved: proofs.slice(at + 1).find((later) => later.found !== null)?.time ?? null,
  }));
}

/**
 * Check 7.4.
 * @param {import("./pdf_updates.js").ValidationData[]} validation
 * @param {Resting[]} resting the seal and all its proofs
 * @param {Resting[]} needed those of them the data has to be complete for
 * @returns {Promise<{status: "pass" | "fail" | "not_checked", family?: "trust", why: string, complete?: number}>} complete: number of
 *   the revision with which it is
 * @throws {Refusal} wrong: a list that is forged or about others, a certificate of no path; limit: as of crl.js
 */
export async function checkValidation(validation, resting, needed) {
  await checkCertificates(validation.filter(({ kind }) => kind === "certificate"), resting);
  const seen = { current: new Map(resting.map((item) => [item, new Map()])), revoked: new Set(), later: new Set(), judged: 0, unknown: 0 };
  for (const { kind, bytes, revision } of validation) if (kind === "list") await takeList(seen, parseList(bytes), resting, revision);
  if (seen.revoked.size > 0) return { status: "fail", family: "trust", why: `revoked by its issuer: ${[...seen.revoked].join(", ")}` };
  const missing = needed.filter(({ isTrusted }) => !isTrusted).map(({ name }) => `${name} is not trusted`);
  const revisions = [2];
  for (const item of needed.filter(({ isTrusted }) => isTrusted)) {
    for (const certificate of item.path.slice(0, -1)) {
      const revision = seen.current.get(item).get(toHex(certificate.der));
      if (revision === undefined) missing.push(`no current list about ${certificate.name}`);
      else revisions.push(revision);
    }
  }
  if (missing.length > 0) return { status: "not_checked", why: `the validation data is not complete: ${missing.join(", ")}` };
  const note = seen.later.size > 0 ? `; revoked later, which takes nothing away: ${[...seen.later].join(", ")}` : "";
  return { why: `${seen.judged} revocation lists, none revokes what the seal and its time stamps rest on${note}`, complete: Math.max(...revisions) };
}

async function takeList(seen, list, resting, revision) {
  const speaking = await speakingOf(list, resting);
  if (speaking === null) {
    seen.unknown += 1;
    return;
  }
  seen.judged += 1;
  for (const { item, certificate } of speaking) {
    for (const entry of list.entries) {
      if (!equal(entry.serial, certificate.serial)) continue;
      (isRevoked(entry, item) ? seen.revoked : seen.later).add(certificate.name);
    }
    const current = seen.current.get(item);
    const key = toHex(certificate.der);
    if (isCurrent(list, certificate, item.made) && !current.has(key)) current.set(key, revision);
  }
}

function isRevoked(entry, { made, proved }) {
  const date = since(entry);
  if (BEFORE_ONLY.has(entry.reason)) return date <= made;
  return proved === null || date <= proved;
}

/** After a certificate's end its issuer need not list it any more (RFC 5280, 3.3). */
function isCurrent(list, certificate, at) {
  return list.thisUpdate <= certificate.notAfter && list.nextUpdate !== null && list.nextUpdate >= at;
}

/** Certificates whose issuer made a list, with what rests on them; null when its issuer is not known. */
async function speakingOf(list, resting) {
  const about = resting.flatMap((item) => issuedUnder(list, item.path).map((found) => ({ item, ...found })));
  if (about.length === 0) wrong("a revocation list is about none of the certificates");
  const possible = new Map(about.filter(({ issuer }) => issuer !== null).map(({ issuer }) => [toHex(issuer.der), issuer]));
  if (possible.size > MAX_ISSUERS) overLimit(`more than ${MAX_ISSUERS} certificates could have issued a revocation list`);
  const makers = new Set();
  for (const [key, issuer] of possible) if (await isMadeBy(list, issuer)) makers.add(key);
  if (makers.size > 0) return about.filter(({ issuer }) => issuer !== null && makers.has(toHex(issuer.der)));
  if (about.some(({ issuer }) => issuer === null)) return null;
  return wrong("a revocation list is not signed by the issuer it names");
}

/** Each one is of a path or leads up from one. */
async function checkCertificates(data, resting) {
  let rest = data.map(({ bytes }) => parseCertificate(bytes));
  for (const certificate of rest) {
    parseKey(certificate.keyInfo);
    parseSignatureAlgorithm(certificate.algorithm);
    if (isSelfIssued(certificate) && !(await isSignedBy(certificate, certificate))) wrong("a root of the validation data does not verify itself");
  }
  const known = resting.flatMap(({ path }) => path);
  const admitted = new Set(known.map(({ der }) => toHex(der)));
  const issuers = new Set(known.map(({ issuer }) => toHex(issuer)));
  for (;;) {
    const found = rest.filter(({ der, subject }) => admitted.has(toHex(der)) || issuers.has(toHex(subject)));
    if (found.length === 0) break;
    for (const { issuer } of found) issuers.add(toHex(issuer));
    rest = rest.filter((item) => !found.includes(item));
  }
  if (rest.length > 0) wrong(`the validation data holds a certificate that belongs to no path: ${rest[0].name}`);
}
