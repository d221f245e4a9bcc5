/**
 * Objects of ISO 32000-2, 7.3, parsed strictly (verification.md, 4.1, 4). Values are
 * null, booleans, numbers, {@link Name}, {@link Text} for strings, {@link Reference}, arrays and Map for dictionaries.
 */
import { equal } from "./bytes.js";
import { overLimit, wrong } from "./errors.js";

const MAX_DEPTH = 60;
const SPACE = new Set([0, 9, 10, 12, 13, 32]);
const DELIMITERS = new Set([..."()<>[]{}/%"].map((character) => character.charCodeAt(0)));
const ESCAPES = { n: 10, r: 13, t: 9, b: 8, f: 12, "(": 40, ")": 41, "\\": 92 };

/** A name, its # escapes resolved. */
export class Name {
  /** @param {string} value one character for each byte */
  constructor(value) {
    this.value = value;
  }
}

/** A string, its escapes resolved. */
export class Text {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
  }
}

/** A reference to an indirect object of generation 0. */
export class Reference {
  /** @param {number} number */
  constructor(number) {
    this.number = number;
  }
}

/**
 * @param {unknown} value
 * @returns {number[]} numbers of the objects it refers to, at any depth
 */
export function references(value) {
  if (value instanceof Reference) return [value.number];
  if (value instanceof Map) return [...value.values()].flatMap(references);
  return Array.isArray(value) ? value.flatMap(references) : [];
}

/**
 * @param {number} byte
 * @returns {boolean} whether it is white space
 */
export function isSpace(byte) {
  return SPACE.has(byte);
}

/**
 * @param {unknown} one
 * @param {unknown} other
 * @returns {boolean} whether both are values of the same kind and equal in every part
 */
export function same(one, other) {
  if (one instanceof Map && other instanceof Map) {
    return one.size === other.size && [...one].every(([key, value]) => other.has(key) && same(value, other.get(key)));
  }
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, at) => same(item, other[at]));
  if (one instanceof Name && other instanceof Name) return one.value === other.value;
  if (one instanceof Text && other instanceof Text) return equal(one.bytes, other.bytes);
  if (one instanceof Reference && other instanceof Reference) return one.number === other.number;
  return one === other;
}

/** Reads values of a PDF from an offset on; `at` is where it stands. */
export class PdfReader {
  /**
   * @param {Uint8Array} bytes the whole file
   * @param {number} at offset
   */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Skip white space and comments. */
  space() {
    for (;;) {
      while (SPACE.has(this.bytes[this.at])) this.at += 1;
      if (this.bytes[this.at] !== 0x25) return;
      while (this.at < this.bytes.length && this.bytes[this.at] !== 10 && this.bytes[this.at] !== 13) this.at += 1;
    }
  }

  /**
   * @param {string} text
   * @returns {boolean} whether exactly this stands here; then it is passed
   */
  skip(text) {
    for (let offset = 0; offset < text.length; offset += 1) {
      if (this.bytes[this.at + offset] !== text.charCodeAt(offset)) return false;
    }
    this.at += text.length;
    return true;
  }

  /**
   * @param {string} text keyword that MUST stand here, ended by white space, a delimiter or the end of the file
   * @throws {Refusal} wrong
   */
  keyword(text) {
    if (!this.skip(text) || this.isRegular(this.at)) wrong(`the PDF lacks ${text} at ${this.at}`);
  }

  isRegular(at) {
    return at < this.bytes.length && !SPACE.has(this.bytes[at]) && !DELIMITERS.has(this.bytes[at]);
  }

  /** @returns {string} regular characters from here on */
  word() {
    const start = this.at;
    while (this.isRegular(this.at) && this.at - start < 4096) this.at += 1;
    return String.fromCharCode(...this.bytes.subarray(start, this.at));
  }

  /**
   * @param {number} [depth] containers around the value
   * @returns {unknown} the value that stands here
   * @throws {Refusal} limit: nested too deep; wrong: not an object of a PDF
   */
  value(depth = 0) {
    this.space();
    const first = this.bytes[this.at];
    if (first === 0x2f) return this.name();
    if (first === 0x28) return this.literal();
    if (first === 0x3c && this.bytes[this.at + 1] !== 0x3c) return this.hexadecimal();
    if (first === 0x3c || first === 0x5b) {
      if (depth >= MAX_DEPTH) overLimit(`a PDF object nested deeper than ${MAX_DEPTH}`);
      return first === 0x5b ? this.array(depth + 1) : this.dictionary(depth + 1);
    }
    const start = this.at;
    const word = this.word();
    if (word === "null") return null;
    if (word === "true") return true;
    if (word === "false") return false;
    if (/^[0-9]{1,10}$/.test(word)) return this.reference(Number(word)) ?? Number(word);
    if (/^[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})$/.test(word)) return Number(word);
    return wrong(`no PDF object at ${start}`);
  }

  reference(number) {
    const start = this.at;
    this.space();
    const generation = this.word();
    if (/^[0-9]{1,5}$/.test(generation)) {
      this.space();
      if (this.bytes[this.at] === 0x52 && !this.isRegular(this.at + 1)) {
        this.at += 1;
        if (Number(generation) !== 0) wrong("a reference of another generation than 0");
        return new Reference(number);
      }
    }
    this.at = start;
    return null;
  }

  name() {
    this.at += 1;
    const start = this.at;
    while (this.isRegular(this.at)) this.at += 1;
    if (this.at - start > 4096) wrong("a PDF name that is too long");
    const raw = String.fromCharCode(...this.bytes.subarray(start, this.at));
    if (/#(?![0-9a-fA-F]{2})/.test(raw)) wrong("a PDF name with an escape that is none");
    return new Name(raw.replace(/#([0-9a-fA-F]{2})/g, (_, digits) => String.fromCharCode(parseInt(digits, 16))));
  }

  literal() {
    this.at += 1;
    const result = [];
    for (let open = 1; ; this.at += 1) {
      const byte = this.bytes[this.at];
      if (byte === undefined) wrong("a PDF string that does not end");
      if (byte === 0x5c) {
        this.escape(result);
        continue;
      }
      if (byte === 0x28) open += 1;
      if (byte === 0x29) {
        open -= 1;
        if (open === 0) break;
      }
      if (byte === 13) {
        // An end of line inside a string is one line feed, however it is written.
        if (this.bytes[this.at + 1] === 10) this.at += 1;
        result.push(10);
      } else result.push(byte);
    }
    this.at += 1;
    return new Text(Uint8Array.from(result));
  }

  escape(result) {
    this.at += 1;
    const byte = this.bytes[this.at];
    const letter = String.fromCharCode(byte ?? 0);
    if (letter >= "0" && letter <= "7") {
      const digits = /^[0-7]{1,3}/.exec(String.fromCharCode(...this.bytes.subarray(this.at, this.at + 3)))[0];
      this.at += digits.length - 1;
      result.push(parseInt(digits, 8) & 255);
    } else if (byte === 13) {
      if (this.bytes[this.at + 1] === 10) this.at += 1;
    } else if (byte !== 10 && byte !== undefined) {
      result.push(Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : byte);
    }
  }

  hexadecimal() {
    this.at += 1;
    const digits = [];
    for (; this.bytes[this.at] !== 0x3e; this.at += 1) {
      const byte = this.bytes[this.at];
      if (byte === undefined) wrong("a PDF string that does not end");
      if (SPACE.has(byte)) continue;
      const digit = "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
      if (digit < 0) wrong("a PDF string that is not hexadecimal");
      digits.push(digit);
    }
    this.at += 1;
    if (digits.length % 2 === 1) digits.push(0);
    const result = new Uint8Array(digits.length / 2);
    for (let at = 0; at < result.length; at += 1) result[at] = digits[2 * at] * 16 + digits[2 * at + 1];
    return new Text(result);
  }

  array(depth) {
    this.at += 1;
    const result = [];
    for (;;) {
      this.space();
      if (this.skip("]")) return result;
      result.push(this.value(depth));
    }
  }

  dictionary(depth) {
    this.at += 2;
    const result = new Map();
    for (;;) {
      this.space();
      if (this.skip(">>")) return result;
      if (this.bytes[this.at] !== 0x2f) wrong(`a PDF dictionary whose key is no name, at ${this.at}`);
      const key = this.name().value;
      if (result.has(key)) wrong(`a PDF dictionary with the key ${key.slice(0, 40)} twice`);
      result.set(key, this.value(depth));
    }
  }
}
