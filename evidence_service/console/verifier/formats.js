/** The documents of the record: manifest, batch header, custody events (formats.md, 3 to 7). */
import { concat, fromHex } from "./bytes.js";
import { encode } from "./canonical.js";
import { sha256, sha3_512 } from "./digests.js";
import { wrong } from "./errors.js";
import * as shape from "./shapes.js";

const MANIFEST = "evidence-manifest/1";
const BATCH = "evidence-batch/1";
const CUSTODY = "evidence-custody/1";
/** Largest manifest in bytes. */
export const MANIFEST_LIMIT = 2 * 1024 * 1024;
/** Proofs have at most 32 steps, so no batch can be larger. */
const MAX_BATCH_SIZE = 2 ** 32;

const SHORT = shape.text({ maximum: 400 });
const EVIDENCE_ID = shape.text({ minimum: 8, maximum: 64, pattern: /^[a-z0-9-]+$/ });
const ACTOR = shape.record({ id: shape.text({ minimum: 1, maximum: 200 }), role: shape.text({ maximum: 60 }) });

const PATH_TEXT = shape.text({ minimum: 1, maximum: 400 });

/** @type {import("./shapes.js").Shape} a relative path that names a file on every system */
function path(value, where) {
  PATH_TEXT(value, where);
  // eslint-disable-next-line no-control-regex
  const forbidden = /[\x00-\x1f\x7f\\:]/.test(value);
  if (forbidden || value.split("/").some((part) => part === "" || part === "." || part === "..")) {
    wrong(`${where} has a form that is not allowed`);
  }
}

const FILE = shape.record({
  path,
  media_type: shape.text({ minimum: 3, maximum: 200 }),
  role: shape.text({ minimum: 1, maximum: 60, pattern: /^[a-z0-9_.]+$/ }),
  size: shape.integer(),
  sha256: shape.hexadecimal(32),
  sha3_512: shape.hexadecimal(64),
});

const OPTIONAL_ADDRESS = shape.optional(shape.text({ maximum: 8192 }));

const MANIFEST_SHAPE = shape.record({
  format: shape.choice(MANIFEST),
  suite: shape.choice("sha256+sha3-512"),
  evidence_id: EVIDENCE_ID,
  kind: shape.choice("platform_capture", "upload", "digest"),
  purpose: shape.choice("evidence", "demonstration"),
  matter: shape.record({
    id: shape.text({ minimum: 1, maximum: 64 }),
    reference: shape.text({ minimum: 1, maximum: 200 }),
    applicant: shape.text({ minimum: 1, maximum: 400 }),
    rights: shape.listOf(SHORT, { maximum: 50 }),
  }),
  operator: ACTOR,
  subject: shape.record({
    requested_url: OPTIONAL_ADDRESS,
    final_url: OPTIONAL_ADDRESS,
    redirects: shape.listOf(shape.text({ maximum: 8192 }), { maximum: 50 }),
    http_status: shape.optional(shape.integer({ minimum: 100, maximum: 599 })),
    peer_address: shape.optional(SHORT),
    listing: shape.mapOf(shape.record({ value: shape.text({ maximum: 20_000 }), read_from: SHORT })),
  }),
  outcome: shape.record({
    status: shape.choice("captured", "challenge", "auth_wall", "removed", "http_error", "blocked", "partial", "received"),
    reasons: shape.listOf(SHORT, { maximum: 50 }),
  }),
  started_at: shape.timestamp,
  finished_at: shape.timestamp,
  tool: shape.mapOf(SHORT),
  egress: shape.record({
    mode: shape.choice("recording_proxy", "tunnel", "none"),
    exceptions: shape.listOf(SHORT, { maximum: 50 }),
  }),
  not_before: shape.oneOf("status", {
    recorded: shape.record({
      status: shape.choice("recorded"),
      chain_id: shape.decimal(),
      block_number: shape.decimal(),
      block_hash: shape.prefixedHexadecimal(32),
      block_time: shape.timestamp,
    }),
    unavailable: shape.record({ status: shape.choice("unavailable"), why: SHORT }),
  }),
  files: shape.listOf(FILE, { maximum: 5_000 }),
  custody: shape.record({ events: shape.integer({ minimum: 1 }), head: shape.hexadecimal(32) }),
});

const BATCH_SHAPE = shape.record({
  format: shape.choice(BATCH),
  suite: shape.choice("sha256-rfc9162"),
  sequence: shape.integer({ minimum: 1 }),
  previous: shape.optional(shape.hexadecimal(32)),
  size: shape.integer({ minimum: 1, maximum: MAX_BATCH_SIZE }),
  roots: shape.record({ sha256: shape.hexadecimal(32) }),
  opened_at: shape.timestamp,
  closed_at: shape.timestamp,
});

const OPTIONAL_DIGEST = shape.optional(shape.hexadecimal(32));

const EVENT_SHAPE = shape.record({
  format: shape.choice(CUSTODY),
  evidence_id: EVIDENCE_ID,
  sequence: shape.integer({ minimum: 1 }),
  previous: OPTIONAL_DIGEST,
  action: shape.choice(
    "order", "capture", "receive", "hash", "store", "seal", "stamp", "register", "anchor",
    "certify", "view", "copy", "export", "redact", "hold", "transfer", "delete", "failure",
  ),
  actor: ACTOR,
  at: shape.timestamp,
  host: shape.text({ maximum: 255 }),
  purpose: shape.text({ maximum: 400 }),
  before: OPTIONAL_DIGEST,
  after: OPTIONAL_DIGEST,
  tool: shape.text({ maximum: 200 }),
  detail: shape.mapOf(shape.text({ maximum: 2_000 }), 30),
});

/**
 * Letter case ignored, ß and ss included (full case folding of Unicode): each character by itself, so that its
 * neighbours do not matter. The dotless i has no other case, although its upper case is I.
 */
function folded(text) {
  let result = "";
  for (const character of text) {
    if (character === "\u0131") result += character;
    else for (const upper of character.toLowerCase().toUpperCase()) result += upper.toLowerCase();
  }
  return result;
}

/** Order of code points; the comparison of the language is that of UTF-16 units. */
function before(a, b) {
  const left = Array.from(a, (character) => character.codePointAt(0));
  const right = Array.from(b, (character) => character.codePointAt(0));
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    if (left[at] !== right[at]) return left[at] < right[at];
  }
  return left.length < right.length;
}

/** @type {import("./shapes.js").Shape} */
export function checkManifest(value) {
  shape.checkFormat(value, [MANIFEST], "manifest");
  MANIFEST_SHAPE(value, "manifest");
  const paths = value.files.map((file) => file.path);
  if (paths.some((name, at) => at > 0 && !before(paths[at - 1], name))) {
    wrong("the manifest's files are not in path order, or two share a path");
  }
  if (new Set(paths.map(folded)).size !== paths.length) wrong("two paths of the manifest differ by letter case only");
  if (value.finished_at < value.started_at) wrong("manifest.finished_at lies before manifest.started_at");
}

/** @type {import("./shapes.js").Shape} */
export function checkBatchHeader(value) {
  shape.checkFormat(value, [BATCH], "batch header");
  BATCH_SHAPE(value, "batch header");
  if ((value.sequence === 1) !== (value.previous === null)) {
    wrong("a batch header names the batch before it, except the first, which names none");
  }
  if (value.closed_at < value.opened_at) wrong("the batch was closed before it was opened");
}

/** @type {import("./shapes.js").Shape} */
export function checkEvent(value, where) {
  shape.checkFormat(value, [CUSTODY], "custody event");
  EVENT_SHAPE(value, where);
}

/**
 * @param {object} event checked custody event
 * @returns {Uint8Array} its hash, SHA-256(03 ‖ event)
 */
export function eventHash(event) {
  return sha256(concat(Uint8Array.of(3), encode(event)));
}

/**
 * @param {Uint8Array} header canonical bytes of a batch header
 * @returns {Uint8Array} what the contract records, SHA-256(02 ‖ header)
 */
export function commitmentOf(header) {
  return sha256(concat(Uint8Array.of(2), header));
}

/**
 * @param {Uint8Array} manifest canonical bytes
 * @param {string} salt 32 bytes, hexadecimal
 * @returns {Uint8Array} the 136 bytes that stand for a manifest in a batch (formats.md, section 4)
 */
export function entryOf(manifest, salt) {
  const tag = new TextEncoder().encode("EVENTRY\u0001");
  return concat(tag, sha256(manifest), sha3_512(manifest), fromHex(salt));
}
