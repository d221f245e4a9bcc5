/**
 * Canonical JSON (formats.md, section 1): RFC 8785 with whole numbers only. Parsed by hand, because the
 * parser of the platform keeps the last of two equal keys, rounds numbers and says nothing about either.
 *
 * Objects come out without a prototype, so that a key like `__proto__` is a key.
 */
import { equal } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";

/** Deepest nesting of arrays and objects. */
const MAX_DEPTH = 32;
/** Largest document, bytes. */
export const DOCUMENT_LIMIT = 4 * 1024 * 1024;

const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** Reads one JSON text. */
class Parser {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** @returns {unknown} the only value of the text */
  whole() {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) wrong(`characters after the end of the JSON value, at ${this.at}`);
    return value;
  }

  space() {
    while (this.at < this.text.length && " \t\n\r".includes(this.text[this.at])) this.at += 1;
  }

  /** @param {string} expected */
  take(expected) {
    if (!this.text.startsWith(expected, this.at)) wrong(`not JSON at character ${this.at}`);
    this.at += expected.length;
  }

  /** @param {number} depth arrays and objects around the value */
  value(depth) {
    this.space();
    const first = this.text[this.at];
    if (first === "{" || first === "[") {
      if (depth >= MAX_DEPTH) overLimit(`nested deeper than ${MAX_DEPTH}`);
      return first === "{" ? this.object(depth + 1) : this.array(depth + 1);
    }
    if (first === '"') return this.string();
    if (first === "t") return this.take("true"), true;
    if (first === "f") return this.take("false"), false;
    if (first === "n") return this.take("null"), null;
    return this.number();
  }

  object(depth) {
    const result = Object.create(null);
    this.at += 1;
    this.space();
    if (this.text[this.at] === "}") return (this.at += 1), result;
    for (;;) {
      this.space();
      const key = this.string();
      if (Object.hasOwn(result, key)) wrong(`duplicate key ${JSON.stringify(key.slice(0, 40))}`);
      this.space();
      this.take(":");
      result[key] = this.value(depth);
      this.space();
      if (this.text[this.at] === "}") return (this.at += 1), result;
      this.take(",");
    }
  }

  array(depth) {
    const result = [];
    this.at += 1;
    this.space();
    if (this.text[this.at] === "]") return (this.at += 1), result;
    for (;;) {
      result.push(this.value(depth));
      this.space();
      if (this.text[this.at] === "]") return (this.at += 1), result;
      this.take(",");
    }
  }

  string() {
    this.take('"');
    let result = "";
    for (;;) {
      const start = this.at;
      while (this.at < this.text.length && this.text[this.at] >= " " && this.text[this.at] !== '"' && this.text[this.at] !== "\\") {
        this.at += 1;
      }
      result += this.text.slice(start, this.at);
      const stop = this.text[this.at];
      if (stop === undefined || stop < " ") wrong(`text that does not end, or holds a control character, at ${this.at}`);
      this.at += 1;
      if (stop === '"') break;
      result += this.escape();
    }
    if (LONE_SURROGATE.test(result)) wrong("a lone surrogate");
    return result;
  }

  escape() {
    const letter = this.text[this.at];
    this.at += 1;
    if (letter === "u") {
      const digits = this.text.slice(this.at, this.at + 4);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) wrong("an escape that is not of four hexadecimal digits");
      this.at += 4;
      return String.fromCharCode(parseInt(digits, 16));
    }
    if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) wrong("an escape that JSON does not know");
    return ESCAPES[letter];
  }

  number() {
    const found = /-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
    found.lastIndex = this.at;
    const match = found.exec(this.text);
    if (match === null) wrong(`not JSON at character ${this.at}`);
    const [text, fraction, exponent] = match;
    if (fraction !== undefined || exponent !== undefined) wrong(`${text.slice(0, 40)} is not an integer`);
    if (text === "-0") wrong("-0 is not allowed");
    if (!/^(0|-?[1-9][0-9]*)$/.test(text)) wrong("a number with a leading zero");
    const value = Number(text);
    if (!Number.isSafeInteger(value)) wrong("an integer that needs more than 53 bits");
    this.at += text.length;
    return value;
  }
}

/**
 * Parse JSON with the restrictions of the formats but of any spacing and order of members (policies).
 * @param {Uint8Array} bytes
 * @param {{what: string, limit?: number}} options name of the document, largest size in bytes
 * @returns {unknown} null, booleans, integers, text, arrays, objects without prototype
 * @throws {Refusal} limit: too large or deep; wrong: anything else
 */
export function parseLoose(bytes, { what, limit = DOCUMENT_LIMIT }) {
  if (bytes.length > limit) overLimit(`the ${what} has ${bytes.length} bytes; the limit is ${limit}`);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    wrong(`the ${what} is not UTF-8`);
  }
  if (text.startsWith("\ufeff")) wrong(`the ${what} begins with a byte order mark`);
  return new Parser(text).whole();
}

/**
 * Parse a document whose bytes MUST be the canonical form of their value.
 * @param {Uint8Array} bytes
 * @param {{what: string, limit?: number}} options as of {@link parseLoose}
 * @returns {unknown} as {@link parseLoose}
 * @throws {Refusal} limit: too large or deep; wrong: anything else, other spacing, order or escapes included
 */
export function parseCanonical(bytes, options) {
  const value = parseLoose(bytes, options);
  if (!equal(encode(value), bytes)) wrong(`the ${options.what} is not in canonical form`);
  return value;
}

/**
 * @param {unknown} value as {@link parseLoose} returns them
 * @returns {Uint8Array} its canonical bytes
 */
export function encode(value) {
  return new TextEncoder().encode(write(value));
}

function write(value) {
  // RFC 8785 takes the escapes of ECMAScript and its order of keys, by UTF-16 code units: both are here.
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${write(value[key])}`);
  return `{${members.join(",")}}`;
}
