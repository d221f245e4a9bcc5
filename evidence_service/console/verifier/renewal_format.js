/** Renewal documents and what they cover (formats.md, section 9). */
import { concat, fromHex } from "./bytes.js";
import { encode } from "./canonical.js";
import { sha256, sha3_256, sha3_512, sha512 } from "./digests.js";
import { wrong } from "./errors.js";
import * as shape from "./shapes.js";

const FORMAT = "evidence-renewal/1";
const MAX_SIZE = 2 ** 32;
/** Hash of the tree by the suite's name. */
const HASHES = { "sha256-rfc9162": sha256, "sha3-256-rfc9162": sha3_256 };
const COVERED = {
  timestamp: ["timestamps"],
  hash_tree: ["manifest", "salt", "batch_header", "inclusion", "timestamps", "anchors"],
};

const DOCUMENT = shape.record({
  format: shape.choice(FORMAT),
  kind: shape.choice("timestamp", "hash_tree"),
  suite: shape.choice("sha256-rfc9162", "sha3-256-rfc9162"),
  size: shape.integer({ minimum: 1, maximum: MAX_SIZE }),
  root: shape.hexadecimal(32),
});

/** @type {import("./shapes.js").Shape} */
function checkDocument(value, where) {
  shape.checkFormat(value, [FORMAT], "renewal document");
  DOCUMENT(value, where);
  if (value.kind === "hash_tree" && value.suite !== "sha3-256-rfc9162") wrong(`${where}.suite is not that of a hash-tree renewal`);
}

/** A token and what was collected about it: the members that a token has wherever it is in a bundle. */
export const STAMP = {
  token: shape.binary(64 * 1024),
  revocation: shape.oneOf("status", {
    collected: shape.record({
      status: shape.choice("collected"),
      crls: shape.listOf(shape.binary(64 * 1024), { minimum: 1, maximum: 8 }),
    }),
    absent: shape.record({ status: shape.choice("absent"), why: shape.text({ minimum: 1, maximum: 400 }) }),
  }),
};

/** Where an entry is in a tree, of a batch or of a renewal. */
export const INCLUSION = shape.record({
  index: shape.integer(),
  size: shape.integer({ minimum: 1 }),
  path: shape.listOf(shape.hexadecimal(32), { maximum: 32 }),
});

/** A member of a bundle's `renewals`. */
export const RENEWAL = shape.record({
  document: checkDocument,
  inclusion: INCLUSION,
  timestamps: shape.listOf(shape.record(STAMP), { minimum: 1, maximum: 20 }),
});

/**
 * @param {string} suite
 * @returns {(data: Uint8Array) => Uint8Array} the hash of its tree
 */
export function hashOf(suite) {
  return HASHES[suite];
}

/**
 * @param {object} value the bundle's document
 * @param {number} position of the renewal in `renewals`
 * @returns {Uint8Array} the 136 bytes that stand for this bundle in it
 */
export function entryOf(value, position) {
  const covered = { renewals: value.renewals.slice(0, position) };
  for (const name of COVERED[value.renewals[position].document.kind]) covered[name] = value[name];
  const bytes = encode(covered);
  return concat(new TextEncoder().encode("EVRENEW\u0001"), sha256(bytes), sha3_512(bytes), fromHex(value.salt));
}

/**
 * @param {object} document renewal document
 * @returns {{imprint: Uint8Array, algorithm: "SHA-512" | "SHA3-512"}} what its tokens have to be about
 */
export function stampedOf(document) {
  const bytes = encode(document);
  if (document.kind === "hash_tree") return { imprint: sha3_512(bytes), algorithm: "SHA3-512" };
  return { imprint: sha512(bytes), algorithm: "SHA-512" };
}
