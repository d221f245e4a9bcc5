/** Checks of the record alone: files, custody, inclusion, times (verification.md, section 8), attachments (7.3). */
import { equal, fromHex, toHex } from "./bytes.js";
import { digest, sha256, sha3_512 } from "./digests.js";
import { wrong } from "./errors.js";
import { entryOf, eventHash } from "./formats.js";
import { leafHash, rootFromPath } from "./merkle.js";
import { parseTime } from "./shapes.js";

/** Clocks may contradict one another by this much, milliseconds. */
export const TOLERANCE = 10 * 60 * 1000;

/** @typedef {import("./bundle.js").Bundle} Bundle */

/**
 * The copies a certificate attaches for people, equal in every byte (7.3).
 * @param {Bundle} bundle
 * @returns {Map<string, Uint8Array>} by name, without verify.txt
 */
export function copiesOf(bundle) {
  const copies = new Map([["bundle.json", bundle.bytes], ["manifest.json", bundle.manifest]]);
  if (bundle.header !== null) copies.set("batch-header.json", bundle.header);
  const count = { manifest: 0, batch_header: 0 };
  for (const { of, token } of bundle.timestamps) {
    count[of] += 1;
    copies.set(`${of === "manifest" ? "manifest" : "batch-header"}-${count[of]}.tst`, token);
  }
  return copies;
}

/**
 * Check 7.3.
 * @param {Map<string, Uint8Array>} attachments
 * @param {Bundle} bundle
 * @throws {Refusal} wrong: one is missing, unknown, or differs
 */
export function checkAttachments(attachments, bundle) {
  const copies = copiesOf(bundle);
  for (const name of attachments.keys()) if (name !== "verify.txt" && !copies.has(name)) wrong(`the attachment ${name} does not belong to the bundle`);
  for (const [name, bytes] of copies) {
    const found = attachments.get(name);
    if (found === undefined) wrong(`the attachment ${name} is missing`);
    if (!equal(found, bytes)) wrong(`the attachment ${name} is not what the bundle says`);
  }
}

/**
 * Check 1.1.
 * @param {Bundle} bundle
 * @param {{name: string, bytes: Uint8Array}[]} files
 * @param {string[]} digests hexadecimal, SHA-256 or SHA3-512
 * @param {Uint8Array[]} attachments files with these bytes do not count
 * @returns {Promise<{status: "pass" | "not_checked", why: string}>}
 * @throws {Refusal} wrong: a file or digest that is not of this evidence
 */
export async function checkFiles(bundle, files, digests, attachments) {
  const listed = bundle.value.manifest.files;
  const seen = new Set();
  const strange = [];
  const counted = files.filter(({ bytes }) => !attachments.some((copy) => equal(copy, bytes)));
  for (const { name, bytes } of counted) {
    const [first, second] = [toHex(await digest("SHA-256", bytes)), toHex(sha3_512(bytes))];
    const same = listed.filter((file) => file.sha256 === first && file.sha3_512 === second && file.size === bytes.length);
    if (same.length === 0) strange.push(name);
    for (const file of same) seen.add(file.path);
  }
  const ofManifest = [toHex(sha256(bundle.manifest)), toHex(sha3_512(bundle.manifest))];
  for (const given of digests) {
    const text = String(given).toLowerCase();
    const same = listed.filter((file) => file.sha256 === text || file.sha3_512 === text);
    if (same.length === 0 && !ofManifest.includes(text)) strange.push(text.slice(0, 20));
    for (const file of same) seen.add(file.path);
  }
  if (strange.length > 0) wrong(`changed, or not part of this evidence: ${strange.slice(0, 5).join(", ")}`);
  if (counted.length === 0 && digests.length === 0) {
    return { status: "not_checked", why: `no evidence files were given; the manifest lists ${listed.length}` };
  }
  const missing = listed.filter((file) => !seen.has(file.path)).map((file) => file.path);
  const rest = missing.length === 0 ? "" : `; not given: ${missing.slice(0, 20).join(", ")}`;
  return { status: "pass", why: `${seen.size} of ${listed.length} files of the manifest${rest}` };
}

/**
 * Check 2.2.
 * @param {Bundle} bundle
 * @throws {Refusal} wrong: history was edited
 */
export function checkCustody({ value, manifest }) {
  const hashes = value.custody.map((event) => toHex(eventHash(event)));
  value.custody.forEach((event, at) => {
    if (event.evidence_id !== value.manifest.evidence_id) wrong(`custody event ${at + 1} is about other evidence`);
    if (event.sequence !== at + 1) wrong(`custody event ${at + 1} carries another number`);
    if (event.previous !== (at === 0 ? null : hashes[at - 1])) wrong(`custody event ${at + 1} does not follow the one before`);
    if (at > 0 && event.at < value.custody[at - 1].at) wrong(`custody event ${at + 1} is dated before the one it follows`);
  });
  const { events, head } = value.manifest.custody;
  const seal = value.custody[events];
  if (seal === undefined) wrong("the custody log ends before the manifest was sealed");
  if (hashes[events - 1] !== head) wrong("the manifest was sealed over another history");
  if (seal.action !== "seal" || seal.after !== toHex(sha256(manifest))) wrong(`custody event ${events + 1} is not the sealing of this manifest`);
}

/**
 * Check 3.1, for a bundle with a batch header.
 * @param {Bundle} bundle
 * @throws {Refusal} wrong: not in this batch
 */
export function checkInclusion({ value, manifest }) {
  const { index, size, path } = value.inclusion;
  if (size !== value.batch_header.size) wrong("the inclusion proof is for a batch of another size");
  const root = rootFromPath(leafHash(entryOf(manifest, value.salt)), index, size, path.map(fromHex));
  if (toHex(root) !== value.batch_header.roots.sha256) wrong("the inclusion proof does not lead to the root of the batch");
}

/**
 * Check 4.3, with at least one outside time.
 * @param {Bundle} bundle
 * @param {number[]} tokenTimes milliseconds since 1970
 * @param {number[]} blockTimes milliseconds since 1970
 * @param {boolean} isThroughBatch whether the time is proved through the batch: all tokens are over its header
 * @throws {Refusal} wrong: a clock contradicts another
 */
export function checkTimes({ value }, tokenTimes, blockTimes, isThroughBatch) {
  const outside = [...tokenTimes, ...blockTimes];
  const finished = parseTime(value.manifest.finished_at, "finished_at");
  if (outside.some((time) => finished - time > TOLERANCE)) wrong("the capture ended after an outside time");
  const { not_before: notBefore } = value.manifest;
  if (notBefore.status === "recorded") {
    const blockTime = parseTime(notBefore.block_time, "block_time");
    if (outside.some((time) => blockTime - time > TOLERANCE)) wrong("an outside time lies before the block the capture began after");
  }
  if (value.batch_header !== null) {
    const closed = parseTime(value.batch_header.closed_at, "closed_at");
    if (blockTimes.some((time) => closed - time > TOLERANCE)) wrong("the batch was closed after the block that holds it");
    if (isThroughBatch && tokenTimes.some((time) => closed - time > TOLERANCE)) wrong("the batch was closed after its header was stamped");
  }
}
