/** X.509 certificates: what a path needs of them, parsed strictly (verification.md, 5.5, 5.6 and 7). */
import { equal } from "./bytes.js";
import * as der from "./der.js";
import { wrong } from "./errors.js";
import { parseKey, parseSignatureAlgorithm, verifySignature } from "./keys.js";

const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const TIME_STAMPING = "1.3.6.1.5.5.7.3.8";
/** basic constraints, key usage, extended key usage, policies, subject and authority key identifier */
const KNOWN_CRITICAL = new Set([BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, "2.5.29.32", "2.5.29.14", "2.5.29.35"]);
const NAME_ATTRIBUTES = ["2.5.4.3", "2.5.4.11", "2.5.4.10"];

/**
 * @typedef {object} Certificate
 * @property {Uint8Array} der the whole
 * @property {Uint8Array} signed the part that is signed
 * @property {Uint8Array} serial content of the serial number
 * @property {Uint8Array} issuer name, DER
 * @property {Uint8Array} subject name, DER
 * @property {number} notBefore milliseconds since 1970
 * @property {number} notAfter milliseconds since 1970
 * @property {import("./der.js").Node} keyInfo SubjectPublicKeyInfo
 * @property {import("./der.js").Node} algorithm of the signature
 * @property {Uint8Array} signature
 * @property {string} name for people
 * @property {{ca: boolean, pathLength: bigint | null} | null} basicConstraints
 * @property {{keyCertSign: boolean, cRLSign: boolean} | null} keyUsage
 * @property {boolean} timeStampingOnly extended key usage is critical and nothing but time stamping
 * @property {boolean} unknownCritical a critical extension that is not one of section 7, 3
 */

/**
 * @param {Uint8Array} bytes DER
 * @returns {Certificate}
 * @throws {Refusal} wrong: not a certificate; limit: nested too deep
 */
export function parseCertificate(bytes) {
  const whole = der.expect(der.parseDer(bytes), der.SEQUENCE, "certificate");
  if (whole.items.length !== 3) wrong("a certificate does not have three parts");
  const [signed, algorithm, signature] = whole.items;
  const parts = [...der.expect(signed, der.SEQUENCE, "certificate content").items];
  let version = 1;
  if (parts[0]?.tag === 0xa0) {
    const explicit = parts.shift();
    if (explicit.items.length !== 1) wrong("a certificate version of several parts");
    version = Number(der.unsigned(explicit.items[0], "certificate version")) + 1;
    if (version !== 2 && version !== 3) wrong("a certificate of a version that does not exist");
  }
  const [serial, inner, issuer, validity, subject, keyInfo, ...optional] = parts;
  der.expect(algorithm, der.SEQUENCE, "signature algorithm");
  if (inner === undefined || !equal(inner.encoded, algorithm.encoded)) wrong("a certificate's two signature algorithms differ");
  const times = der.expect(validity, der.SEQUENCE, "validity").items;
  if (times.length !== 2) wrong("a validity without two times");
  const rest = optional.map((part) => part.tag);
  const order = [0x81, 0x82, 0xa3].filter((tag) => rest.includes(tag));
  if (rest.join() !== order.join() || (rest.includes(0xa3) && version !== 3)) wrong("a certificate with unknown parts");
  return {
    der: bytes,
    signed: signed.encoded,
    serial: der.expect(serial, der.INTEGER, "serial number").content,
    issuer: der.expect(issuer, der.SEQUENCE, "issuer").encoded,
    subject: der.expect(subject, der.SEQUENCE, "subject").encoded,
    notBefore: moment(times[0]),
    notAfter: moment(times[1]),
    keyInfo: der.expect(keyInfo, der.SEQUENCE, "public key"),
    algorithm,
    signature: der.bitString(signature, "certificate signature"),
    name: displayName(subject),
    ...extensions(optional.find((part) => part.tag === 0xa3)),
  };
}

function moment(node) {
  const text = String.fromCharCode(...node.content.subarray(0, 20));
  if (node.tag === der.UTC_TIME && /^[0-9]{12}Z$/.test(text)) {
    return der.calendarTime(`${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text.slice(0, 12)}`, "validity");
  }
  if (node.tag === der.GENERALIZED_TIME && /^[0-9]{14}Z$/.test(text)) return der.calendarTime(text.slice(0, 14), "validity");
  return wrong("a validity that is not a time");
}

function extensions(wrapper) {
  const result = { basicConstraints: null, keyUsage: null, timeStampingOnly: false, unknownCritical: false };
  if (wrapper === undefined) return result;
  if (wrapper.items.length !== 1) wrong("certificate extensions of several parts");
  const seen = new Set();
  const list = der.expect(wrapper.items[0], der.SEQUENCE, "extensions").items;
  if (list.length === 0) wrong("an empty list of extensions");
  for (const extension of list) {
    const parts = [...der.expect(extension, der.SEQUENCE, "extension").items];
    const id = der.objectIdentifier(parts.shift(), "extension");
    if (seen.has(id)) wrong(`the extension ${id} is there twice`);
    seen.add(id);
    // DER leaves a default out: critical FALSE is never written.
    const critical = parts[0]?.tag === der.BOOLEAN && parts.shift().content[0] === 255;
    if (parts.length !== 1) wrong("an extension of a form that is not allowed");
    const value = der.expect(parts[0], der.OCTET_STRING, "extension").content;
    if (id === BASIC_CONSTRAINTS) result.basicConstraints = basicConstraints(der.parseDer(value));
    if (id === KEY_USAGE) result.keyUsage = keyUsage(der.parseDer(value));
    if (id === EXTENDED_KEY_USAGE) {
      const uses = der.expect(der.parseDer(value), der.SEQUENCE, "extended key usage").items.map((use) =>
        der.objectIdentifier(use, "extended key usage"),
      );
      result.timeStampingOnly = critical && uses.length === 1 && uses[0] === TIME_STAMPING;
    }
    if (critical && !KNOWN_CRITICAL.has(id)) result.unknownCritical = true;
  }
  return result;
}

function basicConstraints(node) {
  const parts = [...der.expect(node, der.SEQUENCE, "basic constraints").items];
  const ca = parts[0]?.tag === der.BOOLEAN && parts.shift().content[0] === 255;
  const pathLength = parts[0]?.tag === der.INTEGER ? der.unsigned(parts.shift(), "path length") : null;
  if (parts.length !== 0) wrong("basic constraints of a form that is not allowed");
  return { ca, pathLength };
}

function keyUsage(node) {
  const { content } = der.expect(node, der.BIT_STRING, "key usage");
  if (content.length === 0 || content[0] > 7) wrong("a key usage that is not a bit string");
  const bits = content.length > 1 ? content[1] : 0;
  return { keyCertSign: (bits & 0x04) !== 0, cRLSign: (bits & 0x02) !== 0 };
}

/** A name for people: the first of common name, unit, organisation that is there. Never compared. */
function displayName(subject) {
  const found = new Map();
  for (const set of subject.items) {
    for (const attribute of set.items) {
      const [type, value] = attribute.items;
      if (type?.tag !== der.OID || value === undefined) continue;
      const label = value.tag === 0x1e ? "utf-16be" : "utf-8";
      found.set(der.objectIdentifier(type, "name"), new TextDecoder(label).decode(value.content).slice(0, 200));
    }
  }
  for (const type of NAME_ATTRIBUTES) if (found.has(type)) return found.get(type);
  return "(without a name)";
}

/**
 * @param {Certificate} certificate
 * @param {Certificate} issuer
 * @returns {Promise<boolean>} whether the issuer's key verifies the certificate's signature
 * @throws {Refusal} wrong: an algorithm that is not allowed; limit: an RSA key out of bounds
 */
export async function isSignedBy(certificate, issuer) {
  const algorithm = parseSignatureAlgorithm(certificate.algorithm);
  return verifySignature(parseKey(issuer.keyInfo), algorithm, certificate.signed, certificate.signature);
}

/**
 * @param {Certificate} certificate
 * @returns {boolean} whether subject and issuer are the same name
 */
export function isSelfIssued(certificate) {
  return equal(certificate.subject, certificate.issuer);
}
