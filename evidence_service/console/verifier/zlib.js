/** zlib data (RFC 1950) that is inflated within bounds and ends exactly where its bytes end (verification.md, 4.1, 6). */
import { Inflate } from "fflate";
import { overLimit, wrong } from "./errors.js";
import { concat } from "./bytes.js";

const STEP = 16 * 1024;

/**
 * @param {Uint8Array} bytes zlib data
 * @param {number} limit most bytes that may come out
 * @returns {Uint8Array}
 * @throws {Refusal} limit: more comes out; wrong: damaged, cut off, or followed by other bytes
 */
export function inflateZlib(bytes, limit) {
  if (bytes.length < 7) wrong("compressed data that is cut off");
  const head = bytes[0] * 256 + bytes[1];
  if ((bytes[0] & 15) !== 8 || bytes[0] >> 4 > 7 || head % 31 !== 0 || (bytes[1] & 0x20) !== 0) wrong("not zlib data");
  const body = bytes.subarray(2, -4);
  const result = inflate(body, limit);
  if (result === null) wrong("compressed data that is damaged or cut off");
  // The library ignores what follows the last block. Were there anything, the data would be whole without its last byte too.
  if (inflate(body.subarray(0, -1), limit) !== null) wrong("bytes after the end of compressed data");
  const tail = bytes.subarray(-4);
  if (adler32(result) !== (tail[0] * 2 ** 24 + (tail[1] << 16) + (tail[2] << 8) + tail[3])) wrong("compressed data with another checksum");
  return result;
}

/** @returns {Uint8Array | null} null when the data is damaged or does not end */
function inflate(body, limit) {
  const parts = [];
  let size = 0;
  const stream = new Inflate((part) => {
    size += part.length;
    if (size <= limit) parts.push(part);
  });
  try {
    for (let at = 0; at < body.length && size <= limit; at += STEP) {
      stream.push(body.slice(at, at + STEP), at + STEP >= body.length);
    }
  } catch {
    return null;
  }
  if (size > limit) overLimit(`more than ${limit} bytes when decompressed`);
  return body.length === 0 ? null : concat(...parts);
}

function adler32(bytes) {
  let a = 1;
  let b = 0;
  for (let at = 0; at < bytes.length; ) {
    // 3800 sums stay below 2 to the 53rd by far; the remainder is taken once for each block.
    for (const end = Math.min(at + 3800, bytes.length); at < end; at += 1) {
      a += bytes[at];
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return b * 65536 + a;
}
