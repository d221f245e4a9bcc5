/** Certificate revocation lists of RFC 5280 and what they say of a path (verification.md, checks 4.4 and 7.4). */
import { equal, toHex } from "./bytes.js";
import * as der from "./der.js";
import { overLimit, Refusal, wrong } from "./errors.js";
import { parseKey, parseSignatureAlgorithm, verifySignature } from "./keys.js";
import { isSelfIssued } from "./x509.js";

const LIMIT = 64 * 1024;
const EXTENSIONS = 0xa0;
const ENUMERATED = 0x0a;
const REASON = "0603551d15";
const INVALIDITY_DATE = "0603551d18";
const ISSUING_POINT = "0603551d1c";
/** After these reasons what was signed before stays good (RFC 3161, section 4). */
export const BEFORE_ONLY = new Set([0, 3, 4, 5]);

/**
 * @typedef {{serial: Uint8Array, date: number, reason: number | null, invalidity: Uint8Array | null}} Entry
 *   invalidity: DER of the date since when the key may be in other hands, not looked at yet
 * @typedef {object} RevocationList
 * @property {Uint8Array} issuer name, DER
 * @property {number} thisUpdate milliseconds since 1970
 * @property {number | null} nextUpdate when the next one is due, null when not said
 * @property {Entry[]} entries
 * @property {Uint8Array} signed the part that is signed
 * @property {import("./keys.js").Algorithm} algorithm
 * @property {Uint8Array} signature
 */

/**
 * @param {Uint8Array} bytes DER
 * @returns {RevocationList}
 * @throws {Refusal} limit: too large or deep; wrong: not of the one form
 */
export function parseList(bytes) {
  if (bytes.length > LIMIT) overLimit(`a revocation list of ${bytes.length} bytes; the limit is ${LIMIT}`);
  const whole = der.expect(der.parseDer(bytes), der.SEQUENCE, "revocation list");
  if (whole.items.length !== 3) wrong("a revocation list does not have three parts");
  const [signed, algorithm, signature] = whole.items;
  const [version, inner, issuer, thisUpdate, ...rest] = der.expect(signed, der.SEQUENCE, "revocation list content").items;
  if (der.unsigned(version, "version of a revocation list") !== 1n) wrong("a revocation list of another version");
  if (inner === undefined || !equal(inner.encoded, algorithm.encoded)) wrong("a revocation list's two signature algorithms differ");
  der.expect(issuer, der.SEQUENCE, "issuer of a revocation list");
  if (thisUpdate === undefined) wrong("a revocation list without a date");
  const times = [thisUpdate];
  if ([der.UTC_TIME, der.GENERALIZED_TIME].includes(rest[0]?.tag)) times.push(rest.shift());
  const entries = rest[0]?.tag === der.SEQUENCE ? parseEntries(rest.shift()) : [];
  if (rest[0]?.tag === EXTENSIONS) checkListExtensions(rest.shift());
  if (rest.length > 0) wrong("a revocation list with unknown parts");
  const [issued, due = null] = times.map(moment);
  return {
    issuer: issuer.encoded,
    thisUpdate: issued,
    nextUpdate: due,
    entries,
    signed: signed.encoded,
    algorithm: parseSignatureAlgorithm(algorithm),
    signature: der.bitString(signature, "signature of a revocation list"),
  };
}

function parseEntries(node) {
  if (node.items.length === 0) wrong("a list of revoked certificates that is empty");
  return node.items.map((item) => {
    const parts = der.expect(item, der.SEQUENCE, "entry of a revocation list").items;
    if (parts.length < 2 || parts.length > 3) wrong("an entry of a revocation list of another form");
    const extensions = parts.length === 3 ? parseExtensions(parts[2], [REASON, INVALIDITY_DATE]) : new Map();
    return {
      serial: der.expect(parts[0], der.INTEGER, "serial number").content,
      date: moment(parts[1]),
      reason: extensions.has(REASON) ? parseReason(extensions.get(REASON)) : null,
      invalidity: extensions.get(INVALIDITY_DATE) ?? null,
    };
  });
}

function parseReason(bytes) {
  const { content } = der.expect(der.parseDer(bytes), ENUMERATED, "reason");
  if (content.length !== 1 || content[0] > 10 || content[0] === 7) wrong("a reason that does not exist");
  return content[0];
}

function checkListExtensions(wrapper) {
  if (wrapper.items.length !== 1) wrong("extensions of a revocation list are not one list");
  const point = parseExtensions(wrapper.items[0], [ISSUING_POINT]).get(ISSUING_POINT);
  if (point === undefined) return;
  const tags = der.expect(der.parseDer(point), der.SEQUENCE, "issuing distribution point").items.map((item) => item.tag);
  // Indirect lists, and those for some reasons or for attribute certificates only, have other rules.
  if (tags.join() !== [0xa0, 0x81, 0x82].filter((tag) => tags.includes(tag)).join()) wrong("a revocation list of another kind");
}

/** Values by the hexadecimal DER of their identifiers. */
function parseExtensions(node, understood) {
  const { items } = der.expect(node, der.SEQUENCE, "extensions");
  if (items.length === 0) wrong("an empty list of extensions");
  const found = new Map();
  for (const item of items) {
    const [name, ...rest] = der.expect(item, der.SEQUENCE, "extension").items;
    const id = toHex(der.expect(name, der.OID, "extension").encoded);
    const isCritical = rest.length === 2 && rest[0].tag === der.BOOLEAN && rest.shift().content[0] === 255;
    if (rest.length !== 1 || found.has(id)) wrong("an extension that is there twice or not of the form of one");
    if (isCritical && !understood.includes(id)) wrong("a critical extension that is not understood");
    found.set(id, der.expect(rest[0], der.OCTET_STRING, "extension").content);
  }
  return found;
}

function moment(node) {
  const text = String.fromCharCode(...node.content.subarray(0, 20));
  if (node.tag === der.UTC_TIME && /^[0-9]{12}Z$/.test(text)) {
    return der.calendarTime(`${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text.slice(0, 12)}`, "revocation list");
  }
  if (node.tag === der.GENERALIZED_TIME && /^[0-9]{14}Z$/.test(text)) return der.calendarTime(text.slice(0, 14), "revocation list");
  return wrong("a time of a revocation list in another notation");
}

/**
 * From when on a certificate is not to be relied on.
 * @param {Entry} entry
 * @returns {number} its revocation or, before that, its invalidity, in milliseconds since 1970
 * @throws {Refusal} wrong: an invalidity date that is none
 */
export function since({ date, invalidity }) {
  if (invalidity === null) return date;
  return Math.min(date, moment(der.expect(der.parseDer(invalidity), der.GENERALIZED_TIME, "invalidity date")));
}

/**
 * Check 4.4 over every token that was read.
 * @param {import("./renewals.js").Stamp[]} tokens
 * @returns {Promise<{status: "pass" | "fail" | "not_checked", family?: "trust", why: string}>}
 * @throws {Refusal} wrong: a list that is forged or about others; limit: too large
 */
export async function checkRevocation(tokens) {
  let judged = 0;
  let unknown = 0;
  const names = new Set();
  for (const { found, path, lists, time } of tokens) {
    for (const bytes of lists) {
      const revoked = await revokedBy(parseList(bytes), found?.path ?? path, time);
      if (revoked === null) unknown += 1;
      else judged += 1;
      for (const certificate of revoked ?? []) names.add(certificate.name);
    }
  }
  if (judged + unknown === 0) return { status: "not_checked", why: "no revocation lists were collected" };
  if (names.size > 0) return { status: "fail", family: "trust", why: `revoked by its issuer: ${[...names].join(", ")}` };
  const other = `${unknown} revocation lists are by issuers the policy does not know`;
  if (judged === 0) return { status: "not_checked", why: other };
  return { status: "pass", family: "trust", why: `${judged} revocation lists name none${unknown > 0 ? `; ${other}` : ""}` };
}

/**
 * @param {RevocationList} list
 * @param {import("./x509.js").Certificate[]} path signer first
 * @returns {{certificate: import("./x509.js").Certificate, issuer: import("./x509.js").Certificate | null}[]} those the list is
 *   about, each with the one that issued it where that is known
 */
export function issuedUnder(list, path) {
  const top = path.at(-1);
  const issuers = [...path.slice(1), isSelfIssued(top) ? top : null];
  return path.map((certificate, at) => ({ certificate, issuer: issuers[at] })).filter(({ certificate }) => equal(certificate.issuer, list.issuer));
}

/** Certificates of a path that a list revokes; null when their issuer's certificate is not known. */
async function revokedBy(list, path, time) {
  const about = issuedUnder(list, path);
  if (about.length === 0) wrong("a revocation list is by an issuer of none of the token's certificates");
  if (about.some(({ issuer }) => issuer === null)) return null;
  const signed = [];
  for (const { issuer } of about) signed.push(await isMadeBy(list, issuer));
  if (!signed.includes(true)) wrong("a revocation list is not signed by the issuer it names");
  const revokes = ({ date, reason }) => !BEFORE_ONLY.has(reason) || date <= time;
  return about
    .map(({ certificate }) => certificate)
    .filter((certificate) => list.entries.some((entry) => equal(entry.serial, certificate.serial) && revokes(entry)));
}

/**
 * @param {RevocationList} list
 * @param {import("./x509.js").Certificate} issuer
 * @returns {Promise<boolean>} whether this certificate's key made it, and may make it
 */
export async function isMadeBy(list, issuer) {
  if (issuer.keyUsage !== null && !issuer.keyUsage.cRLSign) return false;
  try {
    return await verifySignature(parseKey(issuer.keyInfo), list.algorithm, list.signed, list.signature);
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}
