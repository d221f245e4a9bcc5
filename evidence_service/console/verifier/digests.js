/** Digests. Small inputs are hashed at once; large ones by Web Crypto where it has the algorithm. */
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256, sha384, sha512 } from "@noble/hashes/sha2.js";
import { keccak_256, sha3_256, sha3_512 } from "@noble/hashes/sha3.js";

export { keccak_256 as keccak256, sha1, sha256, sha3_256, sha3_512, sha512 };

const SYNCHRONOUS = { "SHA-256": sha256, "SHA-384": sha384, "SHA-512": sha512 };

/**
 * @param {"SHA-256" | "SHA-384" | "SHA-512"} name
 * @param {Uint8Array} data
 * @returns {Uint8Array} digest, for input of at most some 100 KiB
 */
export function shortDigest(name, data) {
  return SYNCHRONOUS[name](data);
}

/**
 * @param {"SHA-256" | "SHA-384" | "SHA-512"} name
 * @param {Uint8Array} data of any size
 * @returns {Promise<Uint8Array>} digest
 */
export async function digest(name, data) {
  return new Uint8Array(await globalThis.crypto.subtle.digest(name, data));
}
