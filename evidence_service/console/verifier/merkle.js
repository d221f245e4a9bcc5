/** Inclusion proofs of RFC 9162, section 2.1.3.2, over SHA-256 or another hash of 32 bytes (formats.md, 5 and 9). */
import { concat } from "./bytes.js";
import { sha256 } from "./digests.js";
import { wrong } from "./errors.js";

/** @typedef {(data: Uint8Array) => Uint8Array} Hash */

/**
 * @param {Uint8Array} entry
 * @param {Hash} [hash]
 * @returns {Uint8Array} leaf hash, H(00 ‖ entry)
 */
export function leafHash(entry, hash = sha256) {
  return hash(concat(Uint8Array.of(0), entry));
}

const half = (value) => Math.floor(value / 2);

/**
 * The root a proof leads to. Divisions instead of shifts: positions may need more than 32 bits.
 * @param {Uint8Array} leaf leaf hash, 32 bytes
 * @param {number} index of the leaf, from 0
 * @param {number} size leaves of the tree
 * @param {Uint8Array[]} path sibling hashes from the leaf up
 * @param {Hash} [hash]
 * @returns {Uint8Array} root, 32 bytes
 * @throws {Refusal} wrong: index not below size, path too long or too short
 */
export function rootFromPath(leaf, index, size, path, hash = sha256) {
  const nodeHash = (left, right) => hash(concat(Uint8Array.of(1), left, right));
  if (index >= size) wrong(`entry ${index} is not in a batch of ${size}`);
  let position = index;
  let last = size - 1;
  let root = leaf;
  for (const sibling of path) {
    if (last === 0) wrong("the inclusion proof is too long");
    if (position % 2 === 1 || position === last) {
      root = nodeHash(sibling, root);
      while (position % 2 === 0 && position !== 0) {
        position = half(position);
        last = half(last);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    position = half(position);
    last = half(last);
  }
  if (last !== 0) wrong("the inclusion proof is too short");
  return root;
}
