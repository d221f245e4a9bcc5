/** Revisions of a certificate and their cross-reference tables (verification.md, 4.1, 2 to 4, and 4.3, 1). */
import { latin1 } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";
import { isSpace, Name, PdfReader } from "./pdf_objects.js";

const MAX_OBJECTS = 50_000;
const MAX_REVISIONS = 66;

/**
 * @typedef {{value: unknown, stream: Uint8Array | null}} PdfObject value of an object; bytes of its stream
 * @typedef {{start: number, end: number, objects: Map<number, PdfObject>, trailer: Map<string, unknown>}} Revision
 *   offsets of its first byte and after its last; objects of its own table, by number
 */

/**
 * @param {Uint8Array} bytes the file
 * @returns {Revision[]} oldest first, at least two
 * @throws {Refusal} limit: too many revisions or objects, too deep; wrong: another shape
 */
export function readRevisions(bytes) {
  const revisions = [];
  let start = 0;
  let previous;
  let count = 0;
  for (const ending of findEnds(bytes)) {
    const table = readTable(bytes, ending.offset, ending.startxref);
    if (table.start < start) wrong("a cross-reference table begins inside an older revision");
    if (table.trailer.get("Prev") !== previous) wrong("the PDF's cross-reference tables are not a chain");
    if (revisions.length > 0 && [...table.free].some((number) => number !== 0)) wrong("a revision of the PDF deletes an object");
    count += table.entries.size;
    if (count > MAX_OBJECTS) overLimit(`more than ${MAX_OBJECTS} PDF objects`);
    revisions.push(readRevision(bytes, start, ending, table, revisions.length >= 2));
    start = ending.end;
    previous = table.start;
  }
  return revisions;
}

function findEnds(bytes) {
  const found = [];
  for (let at = bytes.indexOf(0x25); at !== -1; at = bytes.indexOf(0x25, at + 1)) {
    if (bytes[at + 1] === 0x25 && bytes[at + 2] === 0x45 && bytes[at + 3] === 0x4f && bytes[at + 4] === 0x46) found.push(at);
    if (found.length > MAX_REVISIONS) overLimit(`more than ${MAX_REVISIONS} revisions of a PDF`);
  }
  if (found.length < 2) wrong("the PDF does not have the revisions of a sealed certificate");
  const ends = found.map((marker) => {
    const match = /startxref(?:\r\n|\n)([0-9]{1,10})(?:\r\n|\n)$/.exec(latin1(bytes.subarray(Math.max(0, marker - 40), marker)));
    if (match === null) wrong("a revision of the PDF does not end in startxref and an offset");
    let end = marker + 5;
    if (bytes[end] === 10) end += 1;
    else if (bytes[end] === 13 && bytes[end + 1] === 10) end += 2;
    return { offset: Number(match[1]), startxref: marker - match[0].length, end };
  });
  if (ends.at(-1).end !== bytes.length) wrong("bytes after the end of the PDF");
  return ends;
}

function readRevision(bytes, start, ending, table, isLater) {
  const objects = new Map();
  const spans = [];
  for (const [number, offset] of table.entries) {
    const { after, ...object } = readObject(bytes, number, offset);
    if (offset < start || after > table.start) wrong(`the PDF object ${number} is not in the revision of its table`);
    objects.set(number, object);
    spans.push([offset, after]);
  }
  if (isLater) {
    spans.sort(([one], [other]) => one - other);
    checkBetween(bytes, start, [...spans, [table.start, table.end], [ending.startxref, ending.end]]);
  }
  return { start, end: ending.end, objects, trailer: table.trailer };
}

/** Nothing but white space between the parts of a revision. */
function checkBetween(bytes, start, spans) {
  let at = start;
  for (const [first, after] of spans) {
    if (first < at || !bytes.subarray(at, first).every(isSpace)) wrong("a revision after the seal holds more than its objects and its table");
    at = after;
  }
}

/** Offsets by number, of entries in use; numbers that are free. */
function readTable(bytes, offset, end) {
  if (offset >= end) wrong("a cross-reference table lies outside its revision");
  const reader = new PdfReader(bytes.subarray(0, end), offset);
  const newline = () => reader.skip("\r\n") || reader.skip("\n");
  if (!reader.skip("xref") || !newline()) wrong("there is no cross-reference table where one should be");
  const entries = new Map();
  const free = new Set();
  while (!reader.skip("trailer")) {
    const line = /^([0-9]{1,10}) ([0-9]{1,10})(?:\r\n|\n)/.exec(latin1(reader.bytes.subarray(reader.at, reader.at + 24)));
    if (line === null) wrong("a cross-reference table of a form that is not allowed");
    reader.at += line[0].length;
    const [first, count] = [Number(line[1]), Number(line[2])];
    if (count > MAX_OBJECTS) overLimit(`more than ${MAX_OBJECTS} PDF objects`);
    for (let number = first; number < first + count; number += 1) {
      const entry = /^([0-9]{10}) ([0-9]{5}) ([nf])(?: \r| \n|\r\n)$/.exec(latin1(reader.bytes.subarray(reader.at, reader.at + 20)));
      if (entry === null) wrong("an entry of a cross-reference table of a form that is not allowed");
      if (entries.has(number) || free.has(number)) wrong("a cross-reference table with a number twice");
      if (entry[3] === "n" && entry[2] !== "00000") wrong("a PDF object of another generation than 0");
      if (entry[3] === "n") entries.set(number, Number(entry[1]));
      else free.add(number);
      reader.at += 20;
    }
  }
  const trailer = reader.value();
  if (!(trailer instanceof Map)) wrong("a trailer that is not a dictionary");
  if (trailer.has("Encrypt") || trailer.has("XRefStm")) wrong("an encrypted PDF, or one with a second kind of table");
  return { entries, free, trailer, start: offset, end: reader.at };
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
  return { value, stream, after: reader.at };
}
