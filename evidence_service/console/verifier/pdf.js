/** A sealed certificate: its attachments and what its seal covers (verification.md, 4.1). */
import { concat, equal, latin1 } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";
import { Name, Reference, Text } from "./pdf_objects.js";
import { readTables } from "./pdf_tables.js";
import { inflateZlib } from "./zlib.js";

const LIMIT = 64 * 1024 * 1024;
const ATTACHMENTS_LIMIT = 16 * 1024 * 1024;
const FORBIDDEN = new Set(
  ("AA OpenAction JavaScript JS Launch XFA RichMedia Movie Sound " +
    "GoToR GoToE SubmitForm ImportData Rendition 3D").split(" "),
);

/**
 * @typedef {object} SealedPdf
 * @property {Map<string, Uint8Array>} attachments by name, decompressed
 * @property {Uint8Array} covered bytes the seal is over
 * @property {Uint8Array} contents decoded content of the signature: a DER value and zeros
 */

/**
 * @param {Uint8Array} bytes the file
 * @returns {SealedPdf}
 * @throws {Refusal} limit: size, objects, nesting, attachments; wrong: a PDF of any other shape
 */
export function openPdf(bytes) {
  if (bytes.length > LIMIT) overLimit(`a PDF of ${bytes.length} bytes; the limit is ${LIMIT}`);
  if (latin1(bytes.subarray(0, 9)) !== "%PDF-1.7\n") wrong("not a PDF 1.7");
  const tables = readTables(bytes);
  const document = new Document(tables.objects);
  for (const { value } of [...tables.objects.values(), ...tables.replaced]) document.checkHarmless(value);
  const root = document.dictionary(tables.trailer.get("Root"), "Root");
  const number = document.signatureNumber();
  document.checkSignatureIsShown(root, number);
  const { covered, contents } = sealOf(bytes, document.objects.get(number).value);
  return { attachments: document.attachments(root), covered, contents };
}

/** Objects by number, and the walks over them. */
class Document {
  constructor(objects) {
    this.objects = objects;
  }

  /** A reference to a reference is nothing that a certificate holds. */
  resolve(value) {
    if (!(value instanceof Reference)) return value;
    const found = this.objects.get(value.number)?.value ?? null;
    return found instanceof Reference ? wrong("a PDF reference to a reference") : found;
  }

  dictionary(value, what) {
    const found = this.resolve(value);
    if (!(found instanceof Map)) wrong(`${what} of the PDF is missing or not a dictionary`);
    return found;
  }

  array(value, what) {
    const found = this.resolve(value);
    if (!Array.isArray(found)) wrong(`${what} of the PDF is missing or not an array`);
    return found;
  }

  /** Clause 5. Recursion is bounded by the nesting the parser allows. */
  checkHarmless(value) {
    if (Array.isArray(value)) for (const item of value) this.checkHarmless(item);
    if (!(value instanceof Map)) return;
    for (const [key, member] of value) {
      if (FORBIDDEN.has(key)) wrong(`the PDF holds ${key}, which is not allowed`);
      this.checkHarmless(member);
    }
    const action = this.resolve(value.get("S"));
    if (action instanceof Name && FORBIDDEN.has(action.value)) wrong(`the PDF holds ${action.value}, which is not allowed`);
  }

  /** Clause 7: number of the only signature, which is an object of its own. */
  signatureNumber() {
    const found = [];
    const walk = (value, number, isWhole) => {
      if (Array.isArray(value)) for (const item of value) walk(item, number, false);
      if (!(value instanceof Map)) return;
      const type = this.resolve(value.get("Type"));
      const isTyped = type instanceof Name && (type.value === "Sig" || type.value === "DocTimeStamp");
      if (value.has("ByteRange") || isTyped) found.push(isWhole ? number : null);
      for (const member of value.values()) walk(member, number, false);
    };
    for (const [number, object] of this.objects) walk(object.value, number, object.stream === null);
    if (found.length !== 1 || found[0] === null) wrong("the PDF does not hold exactly one signature");
    return found[0];
  }

  checkSignatureIsShown(root, number) {
    const permission = this.dictionary(root.get("Perms"), "Perms").get("DocMDP");
    const fields = this.array(this.dictionary(root.get("AcroForm"), "AcroForm").get("Fields"), "Fields");
    if (fields.length !== 1) wrong("the PDF does not have exactly one form field");
    const value = this.dictionary(fields[0], "form field").get("V");
    for (const reference of [permission, value]) {
      if (!(reference instanceof Reference) || reference.number !== number) wrong("the PDF's signature is not the certifying one");
    }
  }

  /** Clause 6. */
  attachments(root) {
    const found = new Map();
    if (!root.has("Names")) return found;
    const names = this.dictionary(root.get("Names"), "Names");
    for (const key of names.keys()) if (key !== "EmbeddedFiles" && key !== "Dests") wrong(`the PDF's names hold ${key.slice(0, 40)}`);
    if (!names.has("EmbeddedFiles")) return found;
    const tree = this.dictionary(names.get("EmbeddedFiles"), "EmbeddedFiles");
    if (tree.has("Kids")) wrong("the PDF's attachments are in a tree");
    const pairs = this.array(tree.get("Names"), "list of attachments");
    if (pairs.length % 2 !== 0) wrong("the PDF's list of attachments is not of pairs");
    let remaining = ATTACHMENTS_LIMIT;
    for (let at = 0; at < pairs.length; at += 2) {
      const name = nameOf(this.resolve(pairs[at]));
      const file = this.dictionary(pairs[at + 1], "file specification");
      if (nameOf(this.resolve(file.get("F"))) !== name) wrong(`the attachment ${name} has two names`);
      if (found.has(name)) wrong(`the attachment ${name} is there twice`);
      const reference = this.dictionary(file.get("EF"), "EF").get("F");
      const object = reference instanceof Reference ? this.objects.get(reference.number) : undefined;
      if (object === undefined || object.stream === null) wrong(`the attachment ${name} is not a stream`);
      const bytes = decode(object, this.resolve(object.value.get("Filter")), remaining);
      remaining -= bytes.length;
      found.set(name, bytes);
    }
    return found;
  }
}

function nameOf(value) {
  if (!(value instanceof Text)) wrong("an attachment whose name is not a string");
  const name = latin1(value.bytes.subarray(0, 101));
  if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/.test(name)) wrong("an attachment with a name that is not allowed");
  return name;
}

function decode({ value, stream }, filter, limit) {
  if (value.has("DecodeParms")) wrong("an attachment with parameters of a filter");
  if (!value.has("Filter")) {
    if (stream.length > limit) overLimit("the attachments are too large");
    return stream;
  }
  if (!(filter instanceof Name) || filter.value !== "FlateDecode") wrong("an attachment with a filter that is not allowed");
  return inflateZlib(stream, limit);
}

/** Clauses 8 and 9: the whole file is covered but for the signature itself. */
function sealOf(bytes, signature) {
  const range = signature.get("ByteRange");
  if (!Array.isArray(range) || range.length !== 4 || !range.every((item) => Number.isInteger(item))) wrong("the ByteRange is not four whole numbers");
  const [zero, a, b, c] = range;
  if (zero !== 0 || a <= 0 || a >= b || b + c !== bytes.length || c < 0) wrong("the seal does not cover the whole file");
  if (bytes[a] !== 0x3c || bytes[b - 1] !== 0x3e || b - a < 4) wrong("the seal leaves out other bytes than its own value");
  const contents = signature.get("Contents");
  const decoded = decodeHex(bytes.subarray(a + 1, b - 1));
  if (!(contents instanceof Text) || !equal(contents.bytes, decoded)) wrong("the seal's value is not where it leaves bytes out");
  const filter = signature.get("SubFilter");
  if (!(filter instanceof Name) || filter.value !== "ETSI.CAdES.detached") wrong("a seal of another kind than ETSI.CAdES.detached");
  return { covered: concat(bytes.subarray(0, a), bytes.subarray(b)), contents: decoded };
}

function decodeHex(digits) {
  if (digits.length % 2 !== 0) wrong("the seal has an odd number of digits");
  const result = new Uint8Array(digits.length / 2);
  const digit = (byte) => {
    if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
    if (byte >= 0x41 && byte <= 0x46) return byte - 0x37;
    return wrong("the seal is not upper-case hexadecimal");
  };
  for (let at = 0; at < result.length; at += 1) result[at] = digit(digits[2 * at]) * 16 + digit(digits[2 * at + 1]);
  return result;
}
