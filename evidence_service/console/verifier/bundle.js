/** The proof bundle (formats.md, 8 and 11), and check 2.1. */
import { fromBase64, toHex } from "./bytes.js";
import { encode, parseCanonical } from "./canonical.js";
import { sha256 } from "./digests.js";
import { overLimit, wrong } from "./errors.js";
import { checkBatchHeader, checkEvent, checkManifest, MANIFEST_LIMIT } from "./formats.js";
import { INCLUSION, RENEWAL, STAMP } from "./renewal_format.js";
import * as shape from "./shapes.js";

const BUNDLES = ["evidence-bundle/1", "evidence-bundle/2"];

// A leaf of the transactions trie holds a whole transaction, hence the size of a node.
const NODES = shape.listOf(shape.binary(256 * 1024), { minimum: 1, maximum: 70 });
const POSITION = shape.integer({ maximum: 2 ** 31 });

const ANCHOR = shape.record({
  chain_id: shape.decimal(),
  contract: shape.prefixedHexadecimal(20),
  code_hash: shape.prefixedHexadecimal(32),
  submitter: shape.prefixedHexadecimal(20),
  header: shape.binary(16 * 1024),
  transaction: shape.record({ index: POSITION, proof: NODES }),
  receipt: shape.record({ log_index: POSITION, proof: NODES }),
  state: shape.optional(shape.record({ account_proof: NODES, storage_proof: NODES })),
});

const OF = shape.choice("manifest", "batch_header");

const COMMON = {
  format: shape.choice(...BUNDLES),
  manifest: checkManifest,
  salt: shape.hexadecimal(32),
  inclusion: shape.optional(INCLUSION),
  batch_header: shape.optional(checkBatchHeader),
  anchors: shape.listOf(ANCHOR, { maximum: 8 }),
  custody: shape.listOf(checkEvent, { minimum: 1, maximum: 2_000 }),
  checksum: shape.hexadecimal(32),
};

const ATTESTATION = shape.record({
  kind: shape.choice("opentimestamps"),
  of: shape.choice("batch_header"),
  proof: shape.binary(64 * 1024),
});

/** By version. */
const BUNDLE_SHAPES = {
  "evidence-bundle/1": shape.record({
    ...COMMON,
    timestamps: shape.listOf(shape.record({ of: OF, token: STAMP.token }), { maximum: 20 }),
  }),
  "evidence-bundle/2": shape.record({
    ...COMMON,
    timestamps: shape.listOf(shape.record({ of: OF, ...STAMP }), { maximum: 20 }),
    attestations: shape.listOf(ATTESTATION, { maximum: 5 }),
    renewals: shape.listOf(RENEWAL, { maximum: 20 }),
  }),
};

/**
 * The parsed bundle with the bytes that are hashed, stamped and attached.
 * @typedef {object} Bundle
 * @property {object} value the document
 * @property {Uint8Array} bytes as they came
 * @property {Uint8Array} manifest canonical bytes of the manifest
 * @property {Uint8Array | null} header canonical bytes of the batch header
 * @property {({of: "manifest" | "batch_header"} & TokenBytes)[]} timestamps in order
 * @property {TokenBytes[][]} renewals tokens of each renewal; version 1 has none
 * @property {number} attestations how many there are; version 1 has none
 *
 * @typedef {{token: Uint8Array, lists: Uint8Array[]}} TokenBytes DER of a token and of its revocation lists
 */

/**
 * Check 2.1: parse a bundle and every document in it.
 * @param {Uint8Array} bytes
 * @returns {Bundle}
 * @throws {Refusal} limit, version or wrong, as named
 */
export function parseBundle(bytes) {
  const value = parseCanonical(bytes, { what: "bundle" });
  shape.checkFormat(value, BUNDLES, "bundle");
  BUNDLE_SHAPES[value.format](value, "bundle");
  const manifest = encode(value.manifest);
  if (manifest.length > MANIFEST_LIMIT) overLimit(`the manifest has ${manifest.length} bytes; the limit is ${MANIFEST_LIMIT}`);
  if ((value.inclusion === null) !== (value.batch_header === null)) {
    wrong("a bundle holds both an inclusion proof and a batch header, or neither");
  }
  const { attestations = [], renewals = [] } = value;
  if (value.batch_header === null && value.anchors.length + attestations.length > 0) wrong("an anchor or attestation needs the batch header it is about");
  const { checksum, ...rest } = value;
  if (toHex(sha256(encode(rest))) !== checksum) wrong("the bundle's checksum does not match its content");
  return {
    value,
    bytes,
    manifest,
    header: value.batch_header === null ? null : encode(value.batch_header),
    timestamps: value.timestamps.map((item) => ({ of: item.of, ...tokenBytes(item) })),
    renewals: renewals.map((item) => item.timestamps.map(tokenBytes)),
    attestations: attestations.length,
  };
}

function tokenBytes({ token, revocation }) {
  return { token: fromBase64(token), lists: (revocation?.crls ?? []).map(fromBase64) };
}
