/** Public keys and signatures: RSA PKCS #1 v1.5 and ECDSA by Web Crypto (verification.md, 5.5 and 5.6). */
import { concat, fromBigInt } from "./bytes.js";
import * as der from "./der.js";
import { overLimit, wrong } from "./errors.js";

const RSA = "1.2.840.113549.1.1.1";
const EC = "1.2.840.10045.2.1";

/** Digest algorithms that are allowed. */
export const DIGESTS = {
  "2.16.840.1.101.3.4.2.1": "SHA-256",
  "2.16.840.1.101.3.4.2.2": "SHA-384",
  "2.16.840.1.101.3.4.2.3": "SHA-512",
};

const SIGNATURES = {
  "1.2.840.113549.1.1.11": { type: "rsa", digest: "SHA-256" },
  "1.2.840.113549.1.1.12": { type: "rsa", digest: "SHA-384" },
  "1.2.840.113549.1.1.13": { type: "rsa", digest: "SHA-512" },
  "1.2.840.10045.4.3.2": { type: "ec", digest: "SHA-256" },
  "1.2.840.10045.4.3.3": { type: "ec", digest: "SHA-384" },
  "1.2.840.10045.4.3.4": { type: "ec", digest: "SHA-512" },
};

const CURVES = {
  "1.2.840.10045.3.1.7": { curve: "P-256", size: 32 },
  "1.3.132.0.34": { curve: "P-384", size: 48 },
  "1.3.132.0.35": { curve: "P-521", size: 66 },
};

/**
 * @typedef {{type: "rsa", modulus: Uint8Array, exponent: Uint8Array} |
 *   {type: "ec", curve: string, size: number, point: Uint8Array}} Key size of a coordinate in bytes
 * @typedef {{type: "rsa" | "ec", digest: "SHA-256" | "SHA-384" | "SHA-512"}} Algorithm
 */

/**
 * @param {import("./der.js").Node | undefined} node AlgorithmIdentifier
 * @param {string} what
 * @returns {{id: string, parameters: import("./der.js").Node | undefined}}
 * @throws {Refusal} wrong
 */
export function parseAlgorithm(node, what) {
  const { items } = der.expect(node, der.SEQUENCE, what);
  if (items.length > 2) wrong(`${what} has more than two parts`);
  return { id: der.objectIdentifier(items[0], what), parameters: items[1] };
}

/**
 * @param {import("./der.js").Node | undefined} node AlgorithmIdentifier of a digest, parameters absent or NULL
 * @param {string} what
 * @returns {"SHA-256" | "SHA-384" | "SHA-512"}
 * @throws {Refusal} wrong: another algorithm or other parameters
 */
export function parseDigestAlgorithm(node, what) {
  const { id, parameters } = parseAlgorithm(node, what);
  if (!Object.hasOwn(DIGESTS, id)) wrong(`${what} ${id} is not allowed`);
  if (parameters !== undefined) der.expect(parameters, der.NULL, `parameters of ${what}`);
  return DIGESTS[id];
}

/**
 * @param {import("./der.js").Node} node AlgorithmIdentifier of a signature
 * @param {string} [digest] digest the signer names; then rsaEncryption alone is allowed too
 * @returns {Algorithm}
 * @throws {Refusal} wrong: not allowed, other parameters, another digest than the signer's
 */
export function parseSignatureAlgorithm(node, digest) {
  const { id, parameters } = parseAlgorithm(node, "signature algorithm");
  const plain = digest !== undefined && id === RSA ? { type: "rsa", digest } : undefined;
  const found = plain ?? (Object.hasOwn(SIGNATURES, id) ? SIGNATURES[id] : wrong(`the signature algorithm ${id} is not allowed`));
  if (digest !== undefined && found.digest !== digest) wrong("the signature is over another digest than its signer names");
  if (found.type === "rsa") der.expect(parameters, der.NULL, "parameters of the signature algorithm");
  else if (parameters !== undefined) wrong("parameters of an ECDSA signature");
  return found;
}

/**
 * @param {import("./der.js").Node} node SubjectPublicKeyInfo
 * @returns {Key}
 * @throws {Refusal} limit: RSA of less than 2048 or more than 8192 bits, exponent of more than 33; wrong: another kind
 */
export function parseKey(node) {
  if (node.items.length !== 2) wrong("a public key that does not have two parts");
  const { id, parameters } = parseAlgorithm(node.items[0], "key algorithm");
  const bits = der.bitString(node.items[1], "public key");
  if (id === RSA) {
    der.expect(parameters, der.NULL, "parameters of an RSA key");
    const { items } = der.expect(der.parseDer(bits), der.SEQUENCE, "RSA key");
    if (items.length !== 2) wrong("an RSA key that does not have two numbers");
    const modulus = der.unsigned(items[0], "modulus");
    const exponent = der.unsigned(items[1], "exponent");
    const size = modulus.toString(2).length;
    if (size < 2048 || size > 8192 || exponent.toString(2).length > 33) overLimit(`an RSA key of ${size} bits, or a long exponent`);
    const bytesOf = (value) => fromBigInt(value, Math.ceil(value.toString(16).length / 2));
    return { type: "rsa", modulus: bytesOf(modulus), exponent: bytesOf(exponent) };
  }
  if (id === EC) {
    const curve = der.objectIdentifier(parameters, "curve");
    if (!Object.hasOwn(CURVES, curve)) wrong(`the curve ${curve} is not allowed`);
    if (bits.length !== 1 + 2 * CURVES[curve].size || bits[0] !== 4) wrong("a point of a curve that is not uncompressed");
    return { type: "ec", ...CURVES[curve], point: bits };
  }
  return wrong(`the key algorithm ${id} is not allowed`);
}

/**
 * @param {Key} key
 * @param {Algorithm} algorithm
 * @param {Uint8Array} data what was signed
 * @param {Uint8Array} signature as CMS and X.509 write it
 * @returns {Promise<boolean>}
 * @throws {Refusal} wrong: key and algorithm of different kinds, or a key that is none
 */
export async function verifySignature(key, algorithm, data, signature) {
  if (key.type !== algorithm.type) wrong("a signature algorithm that does not fit the key");
  const { subtle } = globalThis.crypto;
  if (key.type === "rsa") {
    if (signature.length !== key.modulus.length) return false;
    const name = { name: "RSASSA-PKCS1-v1_5", hash: algorithm.digest };
    const jwk = { kty: "RSA", n: base64url(key.modulus), e: base64url(key.exponent), ext: true };
    const imported = await importKey(() => subtle.importKey("jwk", jwk, name, false, ["verify"]));
    return checked(() => subtle.verify(name, imported, signature, data));
  }
  const name = { name: "ECDSA", namedCurve: key.curve, hash: algorithm.digest };
  const imported = await importKey(() => subtle.importKey("raw", key.point, name, false, ["verify"]));
  const raw = rawSignature(signature, key.size);
  return raw !== null && checked(() => subtle.verify(name, imported, raw, data));
}

async function importKey(action) {
  try {
    return await action();
  } catch {
    // A point that is not on its curve, an exponent the platform does not take: no key of anybody.
    return wrong("a public key that cannot be used");
  }
}

async function checked(action) {
  try {
    return await action();
  } catch {
    return false;
  }
}

/** Web Crypto wants r and s of the curve's size side by side; CMS and X.509 hold a DER sequence of two integers. */
function rawSignature(signature, size) {
  const { tag, items } = der.parseDer(signature);
  if (tag !== der.SEQUENCE || items.length !== 2) wrong("an ECDSA signature that is not two integers");
  const [r, s] = items.map((item) => der.unsigned(item, "ECDSA signature"));
  const bound = 1n << BigInt(8 * size);
  if (r === 0n || s === 0n || r >= bound || s >= bound) return null;
  return concat(fromBigInt(r, size), fromBigInt(s, size));
}

function base64url(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
