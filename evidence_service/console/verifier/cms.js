/** CMS SignedData (RFC 5652) of the one shape that tokens and seals have (verification.md, section 5). */
import { concat, equal } from "./bytes.js";
import * as der from "./der.js";
import { digest as digestOf, sha1, shortDigest } from "./digests.js";
import { overLimit, wrong } from "./errors.js";
import { parseDigestAlgorithm, parseKey, parseSignatureAlgorithm, verifySignature } from "./keys.js";
import { isSelfIssued, isSignedBy, parseCertificate } from "./x509.js";

const LIMIT = 256 * 1024;
const MAX_CERTIFICATES = 10;
const SIGNED_DATA = "1.2.840.113549.1.7.2";
/** Content type of a detached seal. */
export const ID_DATA = "1.2.840.113549.1.7.1";
const CONTENT_TYPE = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST = "1.2.840.113549.1.9.4";
const SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.12";
const SIGNING_CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.47";

/**
 * SignedData whose signature and certificate path hold; nothing is said yet about whom to trust.
 * @typedef {object} SignedData
 * @property {Uint8Array} content what is inside; empty for a detached one
 * @property {import("./x509.js").Certificate[]} path signer first, each issued by the next
 * @property {Uint8Array} signature value
 * @property {Map<string, import("./der.js").Node>} unsigned unsigned attributes
 */

/**
 * @param {Uint8Array} bytes DER
 * @param {object} options
 * @param {string} options.contentType object identifier the content MUST have
 * @param {Uint8Array} [options.detached] signed content, when it is not inside
 * @param {string[]} [options.unsigned] unsigned attributes that may be there
 * @returns {Promise<SignedData>}
 * @throws {Refusal} limit: too large, too deep, an RSA key out of bounds; wrong: anything else
 */
export async function verifySignedData(bytes, { contentType, detached, unsigned = [] }) {
  if (bytes.length > LIMIT) overLimit(`a signature of ${bytes.length} bytes; the limit is ${LIMIT}`);
  const body = unwrap(der.parseDer(bytes));
  const [version, digests, encapsulated, certificates, signers] = body;
  if (der.unsigned(version, "SignedData version") !== (contentType === ID_DATA ? 1n : 3n)) wrong("SignedData of another version");
  const content = contentOf(encapsulated, contentType, detached !== undefined);
  const signed = detached ?? content;

  der.expect(signers, der.SET, "signers");
  if (signers.items.length !== 1) wrong("there is not exactly one signer");
  const signer = parseSigner(signers.items[0]);
  der.expect(digests, der.SET, "digest algorithms");
  if (digests.items.length !== 1 || !equal(digests.items[0].encoded, signer.digestNode.encoded)) {
    wrong("the digest algorithms are not exactly the signer's");
  }

  const attributes = parseAttributes(signer.signedNode, "signed");
  const extra = signer.unsignedNode === undefined ? new Map() : parseAttributes(signer.unsignedNode, "unsigned");
  for (const id of extra.keys()) if (!unsigned.includes(id)) wrong(`the unsigned attribute ${id} is not allowed`);
  if (der.objectIdentifier(attributes.get(CONTENT_TYPE), "content-type attribute") !== contentType) {
    wrong("the content-type attribute names another content");
  }
  const expected = der.expect(attributes.get(MESSAGE_DIGEST), der.OCTET_STRING, "message-digest attribute").content;
  if (!equal(expected, await digestOf(signer.digest, signed))) wrong("the signed digest is not that of the content");

  const path = await buildPath(der.expect(certificates, 0xa0, "certificates"), signer);
  checkSigningCertificate(attributes, path[0]);
  const algorithm = parseSignatureAlgorithm(signer.algorithm, signer.digest);
  // What is signed is the SET of attributes, not the [0] that stands for it in the message.
  const message = concat(Uint8Array.of(der.SET), signer.signedNode.encoded.subarray(1));
  if (!(await verifySignature(parseKey(path[0].keyInfo), algorithm, message, signer.signature))) wrong("the signature does not hold");
  return { content, path, signature: signer.signature, unsigned: extra };
}

function unwrap(whole) {
  der.expect(whole, der.SEQUENCE, "ContentInfo");
  if (whole.items.length !== 2) wrong("ContentInfo does not have two parts");
  if (der.objectIdentifier(whole.items[0], "content type") !== SIGNED_DATA) wrong("the content is not SignedData");
  const wrapper = der.expect(whole.items[1], 0xa0, "SignedData");
  if (wrapper.items.length !== 1) wrong("more than one SignedData");
  const { items } = der.expect(wrapper.items[0], der.SEQUENCE, "SignedData");
  if (items.length !== 5) wrong("SignedData does not have five parts");
  return items;
}

function contentOf(node, contentType, isDetached) {
  const { items } = der.expect(node, der.SEQUENCE, "encapsulated content");
  if (der.objectIdentifier(items[0], "content type") !== contentType) wrong("the signed content is of another type");
  if (items.length !== (isDetached ? 1 : 2)) wrong("content is inside or missing where it should not be");
  if (isDetached) return new Uint8Array(0);
  const wrapper = der.expect(items[1], 0xa0, "content");
  if (wrapper.items.length !== 1) wrong("content of several parts");
  return der.expect(wrapper.items[0], der.OCTET_STRING, "content").content;
}

function parseSigner(node) {
  const { items } = der.expect(node, der.SEQUENCE, "signer");
  if (items.length !== 6 && items.length !== 7) wrong("a signer of a form that is not allowed");
  if (der.unsigned(items[0], "signer version") !== 1n) wrong("a signer of another version");
  const identifier = der.expect(items[1], der.SEQUENCE, "signer identifier").items;
  if (identifier.length !== 2) wrong("a signer that is not identified by issuer and serial number");
  return {
    issuer: der.expect(identifier[0], der.SEQUENCE, "issuer").encoded,
    serial: der.expect(identifier[1], der.INTEGER, "serial number").content,
    digest: parseDigestAlgorithm(items[2], "digest algorithm"),
    digestNode: items[2],
    signedNode: der.expect(items[3], 0xa0, "signed attributes"),
    algorithm: items[4],
    signature: der.expect(items[5], der.OCTET_STRING, "signature").content,
    unsignedNode: items.length === 7 ? der.expect(items[6], 0xa1, "unsigned attributes") : undefined,
  };
}

function parseAttributes(node, what) {
  if (node.items.length === 0) wrong(`a list of ${what} attributes that is empty`);
  const found = new Map();
  for (const item of node.items) {
    const { items } = der.expect(item, der.SEQUENCE, "attribute");
    const id = der.objectIdentifier(items[0], "attribute");
    const values = der.expect(items[1], der.SET, "attribute values").items;
    if (items.length !== 2 || values.length !== 1) wrong(`the attribute ${id} does not have one value`);
    if (found.has(id)) wrong(`the attribute ${id} is there twice`);
    found.set(id, values[0]);
  }
  return found;
}

function checkSigningCertificate(attributes, certificate) {
  const second = attributes.get(SIGNING_CERTIFICATE_V2);
  const first = attributes.get(SIGNING_CERTIFICATE);
  if (second === undefined && first === undefined) wrong("no attribute says which certificate signed");
  if (first !== undefined) {
    const { items } = firstIdentifier(first);
    if (!equal(der.expect(items[0], der.OCTET_STRING, "certificate hash").content, sha1(certificate.der))) {
      wrong("the signing-certificate attribute names another certificate");
    }
  }
  if (second !== undefined) {
    const items = [...firstIdentifier(second).items];
    const digest = items[0]?.tag === der.SEQUENCE ? parseDigestAlgorithm(items.shift(), "certificate digest") : "SHA-256";
    if (!equal(der.expect(items[0], der.OCTET_STRING, "certificate hash").content, shortDigest(digest, certificate.der))) {
      wrong("the signing-certificate-v2 attribute names another certificate");
    }
  }
}

function firstIdentifier(attribute) {
  const outer = der.expect(attribute, der.SEQUENCE, "signing-certificate attribute");
  const list = der.expect(outer.items[0], der.SEQUENCE, "certificate identifiers");
  return der.expect(list.items[0], der.SEQUENCE, "certificate identifier");
}

/** Section 5, 5: one way from the signer up, and nothing left over that could be shown as part of it. */
async function buildPath(node, signer) {
  if (node.items.length < 1) wrong("there are no certificates");
  if (node.items.length > MAX_CERTIFICATES) overLimit(`${node.items.length} certificates; the limit is ${MAX_CERTIFICATES}`);
  let remaining = node.items.map((item) => parseCertificate(item.encoded));
  const isSigner = (item) => equal(item.issuer, signer.issuer) && equal(item.serial, signer.serial);
  let candidates = remaining.filter(isSigner);
  if (candidates.length !== 1) wrong("the signer's certificate is missing or there twice");
  const path = [];
  while (candidates.length === 1) {
    const [next] = candidates;
    remaining = remaining.filter((item) => item !== next);
    if (path.length > 0 && !(await isSignedBy(path.at(-1), next))) wrong("a certificate is not signed by the next one");
    path.push(next);
    candidates = remaining.filter((item) => equal(item.subject, next.issuer));
  }
  if (candidates.length > 1) wrong("two certificates could be the next one");
  if (remaining.length > 0) wrong("a certificate is not part of the path");
  const top = path.at(-1);
  if (isSelfIssued(top) && !(await isSignedBy(top, top))) wrong("a self-issued certificate does not verify itself");
  return path;
}
