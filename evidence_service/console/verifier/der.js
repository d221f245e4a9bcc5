/** Strict DER at the level of tags and lengths (verification.md, 5.1; X.690, section 10). */
import { compare, toBigInt } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";

export const INTEGER = 0x02;
export const BIT_STRING = 0x03;
export const OCTET_STRING = 0x04;
export const NULL = 0x05;
export const OID = 0x06;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
export const BOOLEAN = 0x01;
export const SEQUENCE = 0x30;
export const SET = 0x31;

const MAX_DEPTH = 40;
const CONSTRUCTED = 0x20;
const UNIVERSAL = 0xc0;

/**
 * One element.
 * @typedef {object} Node
 * @property {number} tag first byte
 * @property {Uint8Array} encoded with tag and length
 * @property {Uint8Array} content without them
 * @property {Node[]} items elements inside; empty for a primitive one
 */

/**
 * Parse bytes that are exactly one element.
 * @param {Uint8Array} bytes
 * @returns {Node}
 * @throws {Refusal} limit: deeper than 40; wrong: not DER
 */
export function parseDer(bytes) {
  const node = element(bytes, 0, 1);
  if (node.encoded.length !== bytes.length) wrong("bytes after the end of a DER value");
  return node;
}

/**
 * Length of the element that bytes begin with; nothing inside is looked at.
 * @param {Uint8Array} bytes
 * @param {number} start
 * @returns {{header: number, end: number}} bytes of tag and length; offset after the element
 * @throws {Refusal} wrong: a tag or length that is not DER, or longer than the bytes
 */
export function measure(bytes, start) {
  if (start + 2 > bytes.length) wrong("DER that is cut off");
  if ((bytes[start] & 0x1f) === 0x1f) wrong("a DER tag of more than one byte");
  let length = bytes[start + 1];
  let header = 2;
  if (length >= 0x80) {
    const count = length - 0x80;
    if (count < 1 || count > 4) wrong("a DER length that is indefinite or has more than 4 bytes");
    if (start + 2 + count > bytes.length) wrong("DER that is cut off");
    length = 0;
    for (let at = 0; at < count; at += 1) length = length * 256 + bytes[start + 2 + at];
    if (length < 0x80 || length < 256 ** (count - 1)) wrong("a DER length that is not minimal");
    header += count;
  }
  const end = start + header + length;
  if (end > bytes.length) wrong("DER that is cut off");
  return { header, end };
}

function element(bytes, start, depth) {
  if (depth > MAX_DEPTH) overLimit(`DER nested deeper than ${MAX_DEPTH}`);
  const { header, end } = measure(bytes, start);
  const node = { tag: bytes[start], encoded: bytes.subarray(start, end), content: bytes.subarray(start + header, end), items: [] };
  checkForm(node);
  if ((node.tag & CONSTRUCTED) !== 0) {
    for (let at = start + header; at < end; ) {
      const item = element(bytes.subarray(0, end), at, depth + 1);
      node.items.push(item);
      at += item.encoded.length;
    }
    if (node.tag === SET) checkOrder(node.items);
  }
  return node;
}

function checkForm({ tag, content }) {
  if ((tag & UNIVERSAL) === 0) {
    // X.690, 10.2: strings are primitive; sequences and sets always are constructed.
    const number = tag & 0x1f;
    if (((tag & CONSTRUCTED) !== 0) !== (number === 16 || number === 17)) wrong("a DER tag in a form that is not allowed");
  }
  if (tag === INTEGER) {
    if (content.length === 0) wrong("a DER integer without bytes");
    const redundant = content.length > 1 && ((content[0] === 0 && content[1] < 128) || (content[0] === 255 && content[1] >= 128));
    if (redundant) wrong("a DER integer that is not minimal");
  }
  if (tag === BOOLEAN && (content.length !== 1 || (content[0] !== 0 && content[0] !== 255))) wrong("a DER boolean that is neither 00 nor FF");
  if (tag === NULL && content.length !== 0) wrong("a DER null that is not empty");
}

function checkOrder(items) {
  for (let at = 1; at < items.length; at += 1) {
    if (compare(items[at - 1].encoded, items[at].encoded) >= 0) wrong("members of a DER set are not in ascending order");
  }
}

/**
 * @param {Node | undefined} node
 * @param {number} tag
 * @param {string} what name, for the refusal
 * @returns {Node} the same
 * @throws {Refusal} wrong: missing or of another tag
 */
export function expect(node, tag, what) {
  if (node === undefined || node.tag !== tag) wrong(`${what} is missing or of another type`);
  return node;
}

/**
 * @param {Node | undefined} node
 * @param {string} what
 * @returns {string} dotted object identifier
 * @throws {Refusal} wrong
 */
export function objectIdentifier(node, what) {
  const { content } = expect(node, OID, what);
  const arcs = [];
  let arc = 0n;
  let open = false;
  for (const byte of content) {
    if (!open && byte === 0x80) wrong(`${what} is not a minimal object identifier`);
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    open = byte >= 0x80;
    if (!open) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  if (open || arcs.length === 0 || content.length > 64) wrong(`${what} is not an object identifier`);
  const first = arcs[0] < 80n ? arcs[0] / 40n : 2n;
  return [first, arcs[0] - first * 40n, ...arcs.slice(1)].join(".");
}

/**
 * @param {Node | undefined} node
 * @param {string} what
 * @returns {bigint} integer that is not negative
 * @throws {Refusal} wrong
 */
export function unsigned(node, what) {
  const { content } = expect(node, INTEGER, what);
  if (content[0] >= 0x80) wrong(`${what} is negative`);
  return toBigInt(content);
}

/**
 * @param {Node | undefined} node
 * @param {string} what
 * @returns {Uint8Array} bytes of a bit string without unused bits
 * @throws {Refusal} wrong
 */
export function bitString(node, what) {
  const { content } = expect(node, BIT_STRING, what);
  if (content.length === 0 || content[0] !== 0) wrong(`${what} has unused bits`);
  return content.subarray(1);
}

/**
 * @param {string} digits YYYYMMDDHHMMSS
 * @param {string} what
 * @returns {number} milliseconds since 1970
 * @throws {Refusal} wrong: no such date
 */
export function calendarTime(digits, what) {
  const [, ...parts] = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})$/.exec(digits) ?? wrong(`${what} is not a time`);
  const [year, month, day, hour, minute, second] = parts;
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = Date.parse(text);
  if (year === "0000" || Number.isNaN(time) || new Date(time).toISOString() !== text) wrong(`${what} is not a date that exists`);
  return time;
}
