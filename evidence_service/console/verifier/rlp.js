/** Strict RLP: shortest forms only (verification.md, section 9). */
import { overLimit, wrong } from "./errors.js";

const LIMIT = 1024 * 1024;
const MAX_DEPTH = 16;
const MAX_ITEMS = 65_536;

/**
 * @typedef {object} RlpItem
 * @property {Uint8Array} encoded with its prefix
 * @property {Uint8Array | null} bytes of a byte string, null for a list
 * @property {RlpItem[] | null} items of a list, null for a byte string
 */

/**
 * @param {Uint8Array} bytes exactly one item
 * @returns {RlpItem}
 * @throws {Refusal} limit: too large, too deep, too many items; wrong: not RLP, or not the shortest form
 */
export function parseRlp(bytes) {
  if (bytes.length > LIMIT) overLimit(`RLP of ${bytes.length} bytes; the limit is ${LIMIT}`);
  const count = { items: 0 };
  const item = parseItem(bytes, 0, bytes.length, 0, count);
  if (item.encoded.length !== bytes.length) wrong("bytes after the end of an RLP value");
  return item;
}

function parseItem(bytes, start, limit, depth, count) {
  count.items += 1;
  if (count.items > MAX_ITEMS) overLimit(`RLP of more than ${MAX_ITEMS} items`);
  if (start >= limit) wrong("RLP that is cut off");
  const prefix = bytes[start];
  if (prefix < 0x80) return { encoded: bytes.subarray(start, start + 1), bytes: bytes.subarray(start, start + 1), items: null };
  const isList = prefix >= 0xc0;
  const { from, end } = span(bytes, start, limit, prefix - (isList ? 0xc0 : 0x80));
  const encoded = bytes.subarray(start, end);
  if (!isList) {
    if (end - from === 1 && bytes[from] < 0x80) wrong("an RLP byte that is not in its shortest form");
    return { encoded, bytes: bytes.subarray(from, end), items: null };
  }
  if (depth >= MAX_DEPTH) overLimit(`RLP nested deeper than ${MAX_DEPTH}`);
  const items = [];
  for (let at = from; at < end; ) {
    const item = parseItem(bytes, at, end, depth + 1, count);
    items.push(item);
    at += item.encoded.length;
  }
  return { encoded, bytes: null, items };
}

function span(bytes, start, limit, code) {
  let from = start + 1;
  let length = code;
  if (code > 55) {
    const size = code - 55;
    if (from + size > limit) wrong("RLP that is cut off");
    if (bytes[from] === 0) wrong("an RLP length that is not in its shortest form");
    if (size > 6) wrong("RLP that is cut off");
    length = 0;
    for (let at = 0; at < size; at += 1) length = length * 256 + bytes[from + at];
    if (length < 56) wrong("an RLP length that is not in its shortest form");
    from += size;
  }
  if (from + length > limit) wrong("RLP that is cut off");
  return { from, end: from + length };
}

/**
 * @param {Uint8Array} bytes
 * @param {string} what
 * @returns {RlpItem[]} items of the list that bytes are
 * @throws {Refusal} as {@link parseRlp}; wrong: a byte string
 */
export function parseRlpList(bytes, what) {
  return listItems(parseRlp(bytes), what);
}

/**
 * @param {RlpItem | undefined} item
 * @param {string} what
 * @returns {RlpItem[]}
 * @throws {Refusal} wrong: missing or a byte string
 */
export function listItems(item, what) {
  if (item === undefined || item.items === null) wrong(`${what} is not a list`);
  return item.items;
}

/**
 * @param {RlpItem | undefined} item
 * @param {string} what
 * @param {number} [size] bytes it MUST have
 * @returns {Uint8Array}
 * @throws {Refusal} wrong: missing, a list, or of another size
 */
export function byteString(item, what, size) {
  if (item === undefined || item.bytes === null) wrong(`${what} is not a byte string`);
  if (size !== undefined && item.bytes.length !== size) wrong(`${what} does not have ${size} bytes`);
  return item.bytes;
}

/**
 * @param {RlpItem | undefined} item
 * @param {string} what
 * @param {number} size most bytes
 * @returns {bigint} integer without leading zeros
 * @throws {Refusal} wrong: missing, a list, too long, leading zeros
 */
export function integerOf(item, what, size) {
  const bytes = byteString(item, what);
  if (bytes.length > size || bytes[0] === 0) wrong(`${what} is not an integer of at most ${size} bytes`);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}
