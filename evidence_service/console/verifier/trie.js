/** Proofs in Merkle Patricia tries (verification.md, section 9). */
import { equal } from "./bytes.js";
import { keccak256 } from "./digests.js";
import { wrong } from "./errors.js";
import { byteString, listItems, parseRlp } from "./rlp.js";

/**
 * The value a proof ends in. Nodes are used in their order, from the root down, each and every one.
 * @param {Uint8Array} root hash of the root node, 32 bytes
 * @param {Uint8Array} key
 * @param {Uint8Array[]} proof nodes, RLP
 * @returns {Uint8Array} the value, not empty
 * @throws {Refusal} wrong: the proof does not hold; limit: a node over a limit of RLP
 */
export function valueInTrie(root, key, proof) {
  const nibbles = [];
  for (const byte of key) nibbles.push(byte >> 4, byte & 15);
  let used = 0;
  const open = (hash) => {
    if (used === proof.length) wrong("the trie proof is too short");
    const bytes = proof[used];
    // A node below 32 bytes stands in its parent as it is; only the root is always referred to by its hash.
    if (used > 0 && bytes.length < 32) wrong("a trie node that should be embedded in its parent");
    if (!equal(keccak256(bytes), hash)) wrong("a node of the trie proof is not the one referred to");
    used += 1;
    return parseRlp(bytes);
  };
  let node = open(root);
  let at = 0;
  for (;;) {
    const items = listItems(node, "trie node");
    let reference;
    if (items.length === 17) {
      if (at === nibbles.length) return finish(items[16], proof, used);
      reference = items[nibbles[at]];
      at += 1;
    } else if (items.length === 2) {
      const { isLeaf, path } = parsePath(byteString(items[0], "trie path"));
      if (path.some((nibble, offset) => nibbles[at + offset] !== nibble)) wrong("the trie proof leads elsewhere");
      at += path.length;
      if (isLeaf) {
        if (at !== nibbles.length) wrong("the trie proof ends before the key");
        return finish(items[1], proof, used);
      }
      if (path.length === 0) wrong("an extension of a trie without a path");
      reference = items[1];
    } else {
      wrong("a trie node that has neither 2 nor 17 items");
    }
    node = follow(reference, open);
  }
}

function follow(reference, open) {
  if (reference.items !== null) {
    if (reference.encoded.length >= 32) wrong("an embedded trie node of 32 bytes or more");
    return reference;
  }
  return open(byteString(reference, "reference to a trie node", 32));
}

function finish(item, proof, used) {
  const value = byteString(item, "value of a trie");
  if (value.length === 0) wrong("the trie holds nothing under this key");
  if (used !== proof.length) wrong("the trie proof holds nodes that are not needed");
  return value;
}

/** Hex-prefix encoding: a flag nibble, a zero nibble when the path is even, the path. */
function parsePath(bytes) {
  if (bytes.length === 0) wrong("a trie path without its prefix");
  const flag = bytes[0] >> 4;
  if (flag > 3 || (flag % 2 === 0 && (bytes[0] & 15) !== 0)) wrong("a trie path with a prefix that is not allowed");
  const path = flag % 2 === 1 ? [bytes[0] & 15] : [];
  for (const byte of bytes.subarray(1)) path.push(byte >> 4, byte & 15);
  return { isLeaf: flag >= 2, path };
}
