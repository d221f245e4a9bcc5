/** The two revisions of a certificate and their cross-reference tables (verification.md, 4.1, 2 to 4). */
import { latin1 } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";
import { Name, PdfReader } from "./pdf_objects.js";

const MAX_OBJECTS = 50_000;

/**
 * @typedef {{value: unknown, stream: Uint8Array | null}} PdfObject value of an object; bytes of its stream
 * @typedef {{objects: Map<number, PdfObject>, replaced: PdfObject[], trailer: Map<string, unknown>}} PdfTables
 *   objects by number; objects of the older revision that the newer one replaced; the newer trailer
 */

/**
 * @param {Uint8Array} bytes the file
 * @returns {PdfTables}
 * @throws {Refusal} limit: too many objects, too deep; wrong: another shape
 */
export function readTables(bytes) {
  const [older, newer] = revisions(bytes);
  if (newer.end !== bytes.length) wrong("bytes after the end of the PDF");
  const last = readTable(bytes, newer.offset, newer.startxref);
  if (newer.offset < older.end) wrong("the newer cross-reference table begins inside the older revision");
  const previous = last.trailer.get("Prev");
  if (!Number.isInteger(previous) || previous < 0) wrong("the PDF does not have two cross-reference tables");
  const first = readTable(bytes, previous, older.startxref);
  if (first.trailer.has("Prev")) wrong("the PDF has more than two cross-reference tables");
  if (new Set([...first.entries.keys(), ...last.entries.keys()]).size > MAX_OBJECTS) overLimit(`more than ${MAX_OBJECTS} PDF objects`);

  const objects = new Map();
  const replaced = [];
  for (const [number, offset] of last.entries) if (offset !== null) objects.set(number, readObject(bytes, number, offset));
  for (const [number, offset] of first.entries) {
    if (offset === null) continue;
    const object = readObject(bytes, number, offset);
    if (last.entries.has(number)) replaced.push(object);
    else objects.set(number, object);
  }
  return { objects, replaced, trailer: last.trailer };
}

function revisions(bytes) {
  const found = [];
  for (let at = bytes.indexOf(0x25); at !== -1; at = bytes.indexOf(0x25, at + 1)) {
    if (bytes[at + 1] === 0x25 && bytes[at + 2] === 0x45 && bytes[at + 3] === 0x4f && bytes[at + 4] === 0x46) found.push(at);
    if (found.length > 2) break;
  }
  if (found.length !== 2) wrong("the PDF does not have exactly two revisions");
  return found.map((marker) => {
    const match = /startxref(?:\r\n|\n)([0-9]{1,10})(?:\r\n|\n)$/.exec(latin1(bytes.subarray(Math.max(0, marker - 40), marker)));
    if (match === null) wrong("a revision of the PDF does not end in startxref and an offset");
    let end = marker + 5;
    if (bytes[end] === 10) end += 1;
    else if (bytes[end] === 13 && bytes[end + 1] === 10) end += 2;
    return { offset: Number(match[1]), startxref: marker - match[0].length, end };
  });
}

/** Offsets by number; null for an entry that is free. */
function readTable(bytes, offset, end) {
  if (offset >= end) wrong("a cross-reference table lies outside its revision");
  const reader = new PdfReader(bytes.subarray(0, end), offset);
  const newline = () => reader.skip("\r\n") || reader.skip("\n");
  if (!reader.skip("xref") || !newline()) wrong("there is no cross-reference table where one should be");
  const entries = new Map();
  while (!reader.skip("trailer")) {
    const line = /^([0-9]{1,10}) ([0-9]{1,10})(?:\r\n|\n)/.exec(latin1(reader.bytes.subarray(reader.at, reader.at + 24)));
    if (line === null) wrong("a cross-reference table of a form that is not allowed");
    reader.at += line[0].length;
    const [first, count] = [Number(line[1]), Number(line[2])];
    if (count > MAX_OBJECTS) overLimit(`more than ${MAX_OBJECTS} PDF objects`);
    for (let number = first; number < first + count; number += 1) {
      const entry = /^([0-9]{10}) ([0-9]{5}) ([nf])(?: \r| \n|\r\n)$/.exec(latin1(reader.bytes.subarray(reader.at, reader.at + 20)));
      if (entry === null) wrong("an entry of a cross-reference table of a form that is not allowed");
      if (entries.has(number)) wrong("a cross-reference table with a number twice");
      if (entry[3] === "n" && entry[2] !== "00000") wrong("a PDF object of another generation than 0");
      entries.set(number, entry[3] === "n" ? Number(entry[1]) : null);
      reader.at += 20;
    }
  }
  const trailer = reader.value();
  if (!(trailer instanceof Map)) wrong("a trailer that is not a dictionary");
  if (trailer.has("Encrypt") || trailer.has("XRefStm")) wrong("an encrypted PDF, or one with a second kind of table");
  return { entries, trailer };
}

function readObject(bytes, number, offset) {
  const reader = new PdfReader(bytes, offset);
  if (!reader.skip(String(number)) || reader.isRegular(reader.at)) wrong(`the PDF object ${number} is not where its table says`);
  reader.space();
  reader.keyword("0");
  reader.space();
  reader.keyword("obj");
  const value = reader.value();
  reader.space();
  let stream = null;
  if (value instanceof Map && reader.skip("stream")) {
    if (!reader.skip("\r\n") && !reader.skip("\n")) wrong("a PDF stream that does not begin on its own line");
    const length = value.get("Length");
    if (!Number.isInteger(length) || length < 0 || reader.at + length > bytes.length) wrong("a PDF stream without a length that fits");
    const type = value.get("Type");
    if (type instanceof Name && (type.value === "ObjStm" || type.value === "XRef")) wrong("a PDF with compressed objects");
    stream = bytes.subarray(reader.at, reader.at + length);
    reader.at += length;
    if (!reader.skip("\r\n") && !reader.skip("\n")) reader.skip("\r");
    reader.keyword("endstream");
    reader.space();
  }
  reader.keyword("endobj");
  return { value, stream };
}
