/** Byte strings and their three notations: hexadecimal, base64, Latin-1 text. */
import { wrong } from "./errors.js";

const HEX = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value += 1) BASE64_VALUES[BASE64.charCodeAt(value)] = value;

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @returns {boolean} whether both hold the same bytes
 */
export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}

/**
 * @param {Uint8Array} a
 * @param {Uint8Array} b
 * @returns {number} below 0, 0 or above 0 as `a` sorts before, with or after `b`
 */
export function compare(a, b) {
  const shorter = Math.min(a.length, b.length);
  for (let at = 0; at < shorter; at += 1) if (a[at] !== b[at]) return a[at] - b[at];
  return a.length - b.length;
}

/**
 * @param {...Uint8Array} parts
 * @returns {Uint8Array} the parts joined
 */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} lower-case hexadecimal
 */
export function toHex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

/**
 * @param {string} text hexadecimal of either case, with or without 0x, already checked to be that
 * @returns {Uint8Array}
 * @throws {Refusal} wrong: not hexadecimal
 */
export function fromHex(text) {
  const digits = text.startsWith("0x") ? text.slice(2) : text;
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) wrong("not hexadecimal");
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}

/**
 * Decode padded base64 whose unused bits are zero (formats.md, section 1).
 * @param {string} text
 * @returns {Uint8Array}
 * @throws {Refusal} wrong: another alphabet, no padding, unused bits that are not zero
 */
export function fromBase64(text) {
  if (text.length % 4 !== 0) wrong("not padded base64");
  let padding = 0;
  if (text.endsWith("==")) padding = 2;
  else if (text.endsWith("=")) padding = 1;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let pending = 0;
  let at = 0;
  for (let position = 0; position < text.length - padding; position += 1) {
    const code = text.charCodeAt(position);
    const value = code < 128 ? BASE64_VALUES[code] : -1;
    if (value < 0) wrong("not base64");
    pending = ((pending << 6) | value) & 0xffffff;
    if (position % 4 === 1) bytes[at++] = (pending >> 4) & 255;
    if (position % 4 === 2) bytes[at++] = (pending >> 2) & 255;
    if (position % 4 === 3) bytes[at++] = pending & 255;
  }
  // Two texts must not stand for the same bytes.
  if (padding === 2 && (pending & 15) !== 0) wrong("base64 with unused bits that are not zero");
  if (padding === 1 && (pending & 3) !== 0) wrong("base64 with unused bits that are not zero");
  return bytes;
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} one character of U+0000 to U+00FF for each byte
 */
export function latin1(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/**
 * @param {string} text characters up to U+00FF
 * @returns {Uint8Array}
 */
export function ascii(text) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * @param {Uint8Array} bytes big-endian
 * @returns {bigint} the unsigned integer
 */
export function toBigInt(bytes) {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`);
}

/**
 * @param {bigint} value not negative
 * @param {number} size bytes
 * @returns {Uint8Array} big-endian, padded on the left
 */
export function fromBigInt(value, size) {
  return fromHex(value.toString(16).padStart(2 * size, "0"));
}
