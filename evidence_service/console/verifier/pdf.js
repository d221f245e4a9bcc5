/** A sealed certificate: its attachments, what its seal covers, and what was added later (verification.md, 4.1 and 4.3). */
import { concat, latin1 } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";
import { Name, Reference, Text } from "./pdf_objects.js";
import { readRevisions } from "./pdf_tables.js";
import { signatureRange, Updates } from "./pdf_updates.js";
import { inflateZlib } from "./zlib.js";

const LIMIT = 64 * 1024 * 1024;
const ATTACHMENTS_LIMIT = 16 * 1024 * 1024;
const FORBIDDEN = new Set(
  ("AA OpenAction JavaScript JS Launch XFA RichMedia Movie Sound " +
    "GoToR GoToE SubmitForm ImportData Rendition 3D").split(" "),
);

/**
 * @typedef {object} SealedPdf
 * @property {Uint8Array} bytes the file
 * @property {Map<string, Uint8Array>} attachments by name, decompressed
 * @property {Uint8Array} covered bytes the seal is over
 * @property {Uint8Array} contents decoded content of the signature: a DER value and zeros
 * @property {import("./pdf_updates.js").ValidationData[]} validation added after sealing, oldest first
 * @property {import("./pdf_updates.js").DocumentStamp[]} stamps document time stamps, oldest first
 */

/**
 * @param {Uint8Array} bytes the file
 * @returns {SealedPdf}
 * @throws {Refusal} limit: size, revisions, objects, nesting, attachments, validation data; wrong: a PDF of any other shape
 */
export function openPdf(bytes) {
  if (bytes.length > LIMIT) overLimit(`a PDF of ${bytes.length} bytes; the limit is ${LIMIT}`);
  if (latin1(bytes.subarray(0, 9)) !== "%PDF-1.7\n") wrong("not a PDF 1.7");
  const revisions = readRevisions(bytes);
  const [first, seal, ...later] = revisions;
  const document = new Document(new Map([...first.objects, ...seal.objects]));
  for (const { objects } of revisions) for (const { value } of objects.values()) document.checkHarmless(value);
  const root = document.dictionary(seal.trailer.get("Root"), "Root");
  const number = document.signatureNumber();
  const field = document.signatureField(root, number);
  const signature = document.objects.get(number).value;
  const { range, contents } = signatureRange(bytes, signature, seal.end);
  const filter = signature.get("SubFilter");
  if (!(filter instanceof Name) || filter.value !== "ETSI.CAdES.detached") wrong("a seal of another kind than ETSI.CAdES.detached");
  const attachments = document.attachments(root);
  const updates = new Updates(document.objects, seal.trailer, field);
  updates.read(bytes, later);
  const covered = concat(bytes.subarray(0, range.first), bytes.subarray(range.second, range.end));
  return { bytes, attachments, covered, contents, validation: updates.validation, stamps: updates.stamps };
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

  /** Clause 7: the only field, which shows the certifying signature. */
  signatureField(root, number) {
    const permission = this.dictionary(root.get("Perms"), "Perms").get("DocMDP");
    const fields = this.array(this.dictionary(root.get("AcroForm"), "AcroForm").get("Fields"), "Fields");
    if (fields.length !== 1) wrong("the PDF does not have exactly one form field");
    const field = this.dictionary(fields[0], "form field");
    for (const reference of [permission, field.get("V")]) {
      if (!(reference instanceof Reference) || reference.number !== number) wrong("the PDF's signature is not the certifying one");
    }
    return field;
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
