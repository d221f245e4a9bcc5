/** Time stamp tokens of RFC 3161 (verification.md, section 6). */
import { equal } from "./bytes.js";
import { verifySignedData } from "./cms.js";
import * as der from "./der.js";
import { digest } from "./digests.js";
import { overLimit, wrong } from "./errors.js";
import { parseAlgorithm } from "./keys.js";
import { findVoucher } from "./path.js";

const LIMIT = 64 * 1024;
const TST_INFO = "1.2.840.113549.1.9.16.1.4";
const IMPRINTS = { "SHA-512": "2.16.840.1.101.3.4.2.3", "SHA3-512": "2.16.840.1.101.3.4.2.10" };

/**
 * A token that is intact and about the stamped data.
 * @typedef {object} Token
 * @property {number} time milliseconds since 1970, finer parts as a fraction
 * @property {import("./x509.js").Certificate[]} path of its authority, signer first
 */

/**
 * @param {Uint8Array} bytes DER
 * @param {Uint8Array} stamped the data whose SHA-512 the token MUST be about
 * @returns {Promise<Token>}
 * @throws {Refusal} limit: too large; wrong: changed, or about other data
 */
export async function readToken(bytes, stamped) {
  return readImprint(bytes, await digest("SHA-512", stamped), "SHA-512");
}

/**
 * @param {Uint8Array} bytes DER
 * @param {Uint8Array} expected digest the token MUST be about
 * @param {"SHA-512" | "SHA3-512"} algorithm of that digest; the second in hash-tree renewals alone
 * @returns {Promise<Token>}
 * @throws {Refusal} limit: too large; wrong: changed, or about other data
 */
export async function readImprint(bytes, expected, algorithm) {
  if (bytes.length > LIMIT) overLimit(`a token of ${bytes.length} bytes; the limit is ${LIMIT}`);
  const { content, path } = await verifySignedData(bytes, { contentType: TST_INFO });
  const { imprint, time } = parseInfo(content, algorithm);
  if (!equal(imprint, expected)) wrong("the token is about other data");
  return { time, path };
}

/**
 * Who vouches for a token, judged at its own time.
 * @template {Token} T
 * @param {T} token
 * @param {import("./policy.js").Policy} policy
 * @returns {Promise<T & {found: import("./path.js").Found | null}>}
 */
export async function judgeToken(token, policy) {
  return { ...token, found: await findVoucher(token.path, policy.authorities, token.time, { timeStamping: true }) };
}

function parseInfo(content, algorithm) {
  const parts = [...der.expect(der.parseDer(content), der.SEQUENCE, "TSTInfo").items];
  if (der.unsigned(parts.shift(), "TSTInfo version") !== 1n) wrong("TSTInfo of another version");
  der.objectIdentifier(parts.shift(), "time-stamping policy");
  const imprint = parseImprint(parts.shift(), algorithm);
  der.expect(parts.shift(), der.INTEGER, "token serial number");
  const time = generalizedTime(der.expect(parts.shift(), der.GENERALIZED_TIME, "genTime").content);
  if (parts[0]?.tag === der.SEQUENCE) checkAccuracy(parts.shift());
  if (parts[0]?.tag === der.BOOLEAN) parts.shift();
  if (parts[0]?.tag === der.INTEGER) parts.shift();
  if (parts[0]?.tag === 0xa0) parts.shift();
  if (parts[0]?.tag === 0xa1) parts.shift();
  if (parts.length > 0) wrong("TSTInfo with unknown parts");
  return { imprint, time };
}

function parseImprint(node, algorithm) {
  const { items } = der.expect(node, der.SEQUENCE, "message imprint");
  if (items.length !== 2) wrong("a message imprint that does not have two parts");
  const { id, parameters } = parseAlgorithm(items[0], "imprint algorithm");
  if (id !== IMPRINTS[algorithm]) wrong(`the imprint is not ${algorithm}`);
  if (parameters !== undefined) der.expect(parameters, der.NULL, "parameters of the imprint algorithm");
  return der.expect(items[1], der.OCTET_STRING, "imprint").content;
}

function generalizedTime(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  const match = /^([0-9]{14})(?:\.([0-9]*[1-9]))?Z$/.exec(text);
  if (match === null || bytes.length > 64) wrong("genTime is not a UTC time of the one notation");
  return der.calendarTime(match[1], "genTime") + (match[2] === undefined ? 0 : Number(`0.${match[2]}`) * 1000);
}

function checkAccuracy(node) {
  const tags = node.items.map((item) => item.tag);
  const order = [der.INTEGER, 0x80, 0x81].filter((tag) => tags.includes(tag));
  if (tags.join() !== order.join()) wrong("an accuracy of a form that is not allowed");
}
