/** What may follow a seal: validation data, then a time stamp over everything (verification.md, 4.3). */
import { latin1, toHex } from "./bytes.js";
import { parseDer, SEQUENCE } from "./der.js";
import { overLimit, Refusal, wrong } from "./errors.js";
import { Name, Reference, references, same, Text } from "./pdf_objects.js";

const MAX_STREAMS = 256;
const MAX_BYTES = 4 * 1024 * 1024;
const DSS = new Name("DSS");
const STAMP = new Map([
  ["Type", new Name("DocTimeStamp")],
  ["Filter", new Name("Adobe.PPKLite")],
  ["SubFilter", new Name("ETSI.RFC3161")],
]);
/** Print and locked, and of no size. */
const WIDGET = new Map([
  ["FT", new Name("Sig")],
  ["Type", new Name("Annot")],
  ["Subtype", new Name("Widget")],
  ["F", 132],
  ["Rect", [0, 0, 0, 0]],
]);

/**
 * @typedef {{first: number, second: number, end: number}} ByteRange bytes up to first, and from second to end
 * @typedef {{kind: "certificate" | "list", bytes: Uint8Array, revision: number}} ValidationData
 * @typedef {{range: ByteRange, contents: Uint8Array, revision: number}} DocumentStamp
 */

/**
 * @param {Uint8Array} bytes the file
 * @param {Map<string, unknown>} signature
 * @param {number} end where what it has to cover ends
 * @returns {{range: ByteRange, contents: Uint8Array}}
 * @throws {Refusal} wrong: it leaves out more than its own value (4.1, 8)
 */
export function signatureRange(bytes, signature, end) {
  const range = signature.get("ByteRange");
  if (!Array.isArray(range) || range.length !== 4 || !range.every((item) => Number.isInteger(item))) wrong("the ByteRange is not four whole numbers");
  const [zero, a, b, c] = range;
  if (zero !== 0 || a <= 0 || a >= b || b + c !== end || c < 0) wrong("a signature does not cover the whole file as it was when it was made");
  if (bytes[a] !== 0x3c || bytes[b - 1] !== 0x3e || b - a < 4) wrong("a signature leaves out other bytes than its own value");
  const digits = latin1(bytes.subarray(a + 1, b - 1));
  if (!/^(?:[0-9A-F]{2})+$/.test(digits)) wrong("a signature's value is not upper-case hexadecimal");
  const value = signature.get("Contents");
  if (!(value instanceof Text) || toHex(value.bytes).toUpperCase() !== digits) wrong("a signature's value is not where it leaves bytes out");
  return { range: { first: a, second: b, end }, contents: value.bytes };
}

/** The certificate as the revisions after the seal leave it. */
export class Updates {
  /**
   * @param {Map<number, import("./pdf_tables.js").PdfObject>} objects of document and seal
   * @param {Map<string, unknown>} trailer of the seal
   * @param {Map<string, unknown>} field of the seal
   */
  constructor(objects, trailer, field) {
    this.objects = new Map(objects);
    this.trailer = trailer;
    this.field = field;
    /** @type {ValidationData[]} */
    this.validation = [];
    /** @type {DocumentStamp[]} */
    this.stamps = [];
    /** @type {("validation" | "stamp")[]} one for each revision */
    this.kinds = [];
    this.labels = [field.get("T")];
    /** Numbers that something sealed refers to although there is no such object. */
    this.open = new Set([...objects.values()].flatMap(({ value }) => references(value)).filter((number) => !objects.has(number)));
  }

  /**
   * @param {Uint8Array} bytes the file
   * @param {import("./pdf_tables.js").Revision[]} later revisions after the seal
   * @throws {Refusal} wrong: anything that is not allowed; limit: too much validation data
   */
  read(bytes, later) {
    for (const [at, revision] of later.entries()) {
      try {
        this.take(bytes, at + 3, revision);
      } catch (error) {
        if (error instanceof Refusal && error.kind === "wrong") wrong(`revision ${at + 3}, after the seal, is not allowed: ${error.message}`);
        throw error;
      }
    }
  }

  take(bytes, number, revision) {
    const kept = (trailer) => without(trailer, ["Size", "Prev", "ID"]);
    if (!same(kept(this.trailer), kept(revision.trailer))) wrong("its trailer differs from the one before");
    const added = this.newObjects(revision);
    if (added.some(([place]) => this.open.has(place))) wrong("it fills places that what is sealed leaves open");
    const signature = added.find(([, { value }]) => value instanceof Map && same(value.get("Type"), STAMP.get("Type")));
    if (signature === undefined) this.takeValidation(number, revision);
    else this.takeStamp(bytes, number, revision, signature);
    for (const [key, object] of revision.objects) this.objects.set(key, object);
    this.trailer = revision.trailer;
  }

  newObjects(revision) {
    return [...revision.objects].filter(([number]) => !this.objects.has(number));
  }

  /** A dictionary that is an object of its own, as it was before. */
  before(reference, what) {
    const found = reference instanceof Reference ? this.objects.get(reference.number) : undefined;
    if (found === undefined || found.stream !== null || !(found.value instanceof Map)) wrong(`${what} is not an object of its own`);
    return found.value;
  }

  takeValidation(number, revision) {
    const root = this.trailer.get("Root");
    const catalog = this.before(root, "the catalogue");
    const expected = new Map();
    let place = catalog.get("DSS");
    let old = new Map();
    if (this.kinds.length > 0) old = this.before(place, "validation data");
    else {
      const { value } = revision.objects.get(root.number) ?? {};
      const added = value instanceof Map ? value.get("DSS") : undefined;
      if (place !== undefined || !(added instanceof Reference) || this.objects.has(added.number)) wrong("it holds neither validation data nor a time stamp");
      place = added;
      expected.set(root.number, new Map([...catalog, ["DSS", place]]));
    }
    const store = dictionaryIn(revision, place.number);
    if (store === null || !hasOnly(store, ["Type", "Certs", "CRLs"]) || !same(memberOf(store, "Type", DSS), DSS)) wrong("its validation data is of another form");
    expected.set(place.number, store);
    for (const [name, kind] of [["Certs", "certificate"], ["CRLs", "list"]]) {
      for (const added of addedTo(store, old, name)) expected.set(added, this.addStream(kind, number, revision, added));
    }
    checkObjects(revision, expected);
    this.kinds.push("validation");
  }

  addStream(kind, number, revision, place) {
    const object = revision.objects.get(place);
    if (object === undefined || object.stream === null || this.objects.has(place)) wrong("its validation data is not in new streams");
    if (object.value.size !== 1) wrong("a stream of its validation data has a filter, or more than a length");
    const bytes = object.stream;
    this.validation.push({ kind, bytes, revision: number });
    const size = this.validation.reduce((sum, item) => sum + item.bytes.length, 0);
    if (this.validation.length > MAX_STREAMS || size > MAX_BYTES) overLimit(`more than ${MAX_STREAMS} parts or ${MAX_BYTES} bytes of validation data`);
    if (bytes[0] !== SEQUENCE) wrong("its validation data is neither a certificate nor a list");
    parseDer(bytes);
    return object.value;
  }

  takeStamp(bytes, number, revision, [place, { value: signature }]) {
    if (this.kinds.at(-1) !== "validation") wrong("it is a time stamp that does not follow validation data");
    if (!same(without(signature, ["Contents", "ByteRange"]), STAMP)) wrong("its signature is not a document time stamp of RFC 3161");
    const { range, contents } = signatureRange(bytes, signature, revision.end);
    const [key, widget] = this.newField(revision, place);
    const catalog = this.before(this.trailer.get("Root"), "the catalogue");
    const expected = new Map([[place, signature], [key, widget]]);
    for (const [target, member] of [[catalog.get("AcroForm"), "Fields"], [this.field.get("P"), "Annots"]]) {
      const old = this.before(target, member);
      if (!Array.isArray(old.get(member))) wrong(`${member} is not an array of its own`);
      expected.set(target.number, new Map([...old, [member, [...old.get(member), new Reference(key)]]]));
    }
    checkObjects(revision, expected);
    this.stamps.push({ range, contents, revision: number });
    this.kinds.push("stamp");
  }

  newField(revision, place) {
    const fields = this.newObjects(revision).filter(([, { value }]) => value instanceof Map && same(value.get("V"), new Reference(place)));
    if (fields.length !== 1) wrong("its time stamp is not in one new field");
    const [[key, { value: widget }]] = fields;
    const label = widget.get("T");
    for (const text of [label, memberOf(widget, "TU", label)]) if (!isPlain(text)) wrong("its field has a name that is not plain");
    if (this.labels.some((other) => same(label, other))) wrong("its field has the name of another one");
    this.labels.push(label);
    const expected = new Map([...WIDGET, ["V", new Reference(place)], ["P", this.field.get("P")]]);
    if (!same(without(widget, ["T", "TU"]), expected)) wrong("its field is more than an invisible place for the time stamp");
    return [key, widget];
  }
}

const memberOf = (dictionary, name, otherwise) => (dictionary.has(name) ? dictionary.get(name) : otherwise);
const without = (dictionary, names) => new Map([...dictionary].filter(([name]) => !names.includes(name)));
const hasOnly = (dictionary, names) => [...dictionary.keys()].every((name) => names.includes(name));
const isPlain = (text) => text instanceof Text && /^[ -~]{1,100}$/.test(latin1(text.bytes.subarray(0, 101)));

function dictionaryIn(revision, number) {
  const { value, stream } = revision.objects.get(number) ?? {};
  return value instanceof Map && stream === null ? value : null;
}

/** Numbers of the streams that an array has more than before. */
function addedTo(store, old, name) {
  const now = memberOf(store, name, []);
  const before = memberOf(old, name, []);
  if (!Array.isArray(now) || !before.every((item, at) => same(item, now[at]))) wrong("its validation data is no array, or drops what was there");
  if (!now.every((item) => item instanceof Reference)) wrong("its validation data is not listed by reference");
  const numbers = now.map((item) => item.number);
  if (new Set(numbers).size !== numbers.length) wrong("its validation data is listed twice");
  return numbers.slice(before.length);
}

/** The revision holds these objects and nothing else. */
function checkObjects(revision, expected) {
  // A stream is as new as what was read of it; nothing else that is expected is a stream.
  const isExpected = ([number, { value, stream }]) => (stream === null ? same(value, expected.get(number)) : value === expected.get(number));
  if (revision.objects.size !== expected.size || ![...revision.objects].every(isExpected)) wrong("it changes more than validation data and time stamps may");
}
