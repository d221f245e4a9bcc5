/**
 * Shapes of documents, declared as data: every member named, typed and bounded, nothing unknown accepted.
 * A shape is a function of a value and the place it was found at; it returns nothing and throws a Refusal.
 *
 * @typedef {(value: unknown, where: string) => void} Shape
 */
import { fromBase64 } from "./bytes.js";
import { overLimit, unknownVersion, wrong } from "./errors.js";

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/**
 * @param {string} value
 * @returns {number} characters (code points, not UTF-16 units)
 */
export function characters(value) {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/**
 * Refuse a document whose `format` member names another format or version.
 * @param {unknown} value
 * @param {string[]} expected versions of one format that are known, such as "evidence-bundle/1"
 * @param {string} what name of the document
 * @throws {Refusal} version: the right kind in another version; wrong: no format, or another kind
 */
export function checkFormat(value, expected, what) {
  const found = isObject(value) ? value.format : undefined;
  if (typeof found !== "string") wrong(`the ${what} has no format member`);
  if (expected.includes(found)) return;
  const slash = found.lastIndexOf("/");
  const kind = slash < 0 ? found : found.slice(0, slash);
  if (kind === expected[0].slice(0, expected[0].lastIndexOf("/"))) {
    unknownVersion(`the ${what} is of version ${JSON.stringify(found.slice(0, 80))}; this program knows ${expected.join(" and ")}`);
  }
  wrong(`this is another document, not a ${what} (${expected.join(" or ")})`);
}

/**
 * @param {{minimum?: number, maximum?: number, pattern?: RegExp}} bounds in characters; pattern for the whole
 * @returns {Shape} text
 */
export function text({ minimum = 0, maximum = 4096, pattern } = {}) {
  return (value, where) => {
    if (typeof value !== "string") wrong(`${where} is not text`);
    const length = characters(value);
    if (length < minimum || length > maximum) wrong(`${where} has ${length} characters; ${minimum} to ${maximum} are allowed`);
    if (pattern !== undefined && !pattern.test(value)) wrong(`${where} has a form that is not allowed`);
  };
}

/**
 * @param {{minimum?: number, maximum?: number}} bounds
 * @returns {Shape} whole number
 */
export function integer({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = {}) {
  return (value, where) => {
    if (!Number.isSafeInteger(value)) wrong(`${where} is not a whole number`);
    if (value < minimum || value > maximum) wrong(`${where} is ${value}; ${minimum} to ${maximum} are allowed`);
  };
}

/**
 * @param {...string} allowed
 * @returns {Shape} one of a fixed set of words
 */
export function choice(...allowed) {
  return (value, where) => {
    if (!allowed.includes(value)) wrong(`${where} is none of ${allowed.join(", ")}`);
  };
}

/** @type {Shape} true or false */
export function boolean(value, where) {
  if (typeof value !== "boolean") wrong(`${where} is not true or false`);
}

/**
 * @param {number} size bytes
 * @returns {Shape} lower-case hexadecimal without prefix
 */
export function hexadecimal(size) {
  return text({ minimum: 2 * size, maximum: 2 * size, pattern: /^[0-9a-f]*$/ });
}

/**
 * @param {number} size bytes
 * @returns {Shape} 0x and lower-case hexadecimal, the notation of chains
 */
export function prefixedHexadecimal(size) {
  return text({ minimum: 2 * size + 2, maximum: 2 * size + 2, pattern: /^0x[0-9a-f]*$/ });
}

/**
 * @param {number} digits most digits; 78 hold 2 to the 256th
 * @returns {Shape} an integer as decimal text without leading zeros
 */
export function decimal(digits = 78) {
  return text({ minimum: 1, maximum: digits, pattern: /^(0|[1-9][0-9]*)$/ });
}

/**
 * @param {number} maximum bytes when decoded
 * @returns {Shape} padded base64 with zero unused bits
 */
export function binary(maximum) {
  return (value, where) => {
    if (typeof value !== "string") wrong(`${where} is not base64 text`);
    if (value.length > 4 * Math.ceil(maximum / 3)) overLimit(`${where} is larger than ${maximum} bytes`);
    if (fromBase64(value).length > maximum) overLimit(`${where} is larger than ${maximum} bytes`);
  };
}

/**
 * @param {unknown} value
 * @param {string} where
 * @returns {number} milliseconds since 1970 of a time like 2026-11-24T08:30:00.123Z
 * @throws {Refusal} wrong: another notation, or a date that does not exist
 */
export function parseTime(value, where) {
  if (typeof value !== "string" || !/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$/.test(value)) {
    wrong(`${where} is not a UTC time with milliseconds`);
  }
  const time = Date.parse(value);
  // A platform may roll the 31st of a short month over; year 0 is in no calendar the other implementation knows.
  if (Number.isNaN(time) || new Date(time).toISOString() !== value || value.startsWith("0000")) {
    wrong(`${where} is not a date that exists`);
  }
  return time;
}

/** @type {Shape} a time of the one notation */
export function timestamp(value, where) {
  parseTime(value, where);
}

/**
 * @param {Shape} shape
 * @returns {Shape} that, or null
 */
export function optional(shape) {
  return (value, where) => {
    if (value !== null) shape(value, where);
  };
}

/**
 * @param {Shape} shape of each item
 * @param {{minimum?: number, maximum: number}} bounds in items; more are over a limit, fewer are wrong
 * @returns {Shape}
 */
export function listOf(shape, { minimum = 0, maximum }) {
  return (value, where) => {
    if (!Array.isArray(value)) wrong(`${where} is not a list`);
    if (value.length > maximum) overLimit(`${where} has ${value.length} items; the limit is ${maximum}`);
    if (value.length < minimum) wrong(`${where} has ${value.length} items; at least ${minimum} are needed`);
    value.forEach((item, position) => shape(item, `${where}[${position}]`));
  };
}

/**
 * @param {Shape} shape of each value
 * @param {number} maximum members; keys have up to 200 characters
 * @returns {Shape} an object whose keys are free
 */
export function mapOf(shape, maximum = 200) {
  return (value, where) => {
    if (!isObject(value)) wrong(`${where} is not an object`);
    const keys = Object.keys(value);
    if (keys.length > maximum) overLimit(`${where} has ${keys.length} members; the limit is ${maximum}`);
    for (const key of keys) {
      if (characters(key) > 200) overLimit(`${where} has a key of more than 200 characters`);
      shape(value[key], `${where}.${key}`);
    }
  };
}

/**
 * @param {Record<string, Shape>} members
 * @returns {Shape} an object with exactly these members
 */
export function record(members) {
  const names = Object.keys(members);
  return (value, where) => {
    if (!isObject(value)) wrong(`${where} is not an object`);
    for (const name of names) if (!Object.hasOwn(value, name)) wrong(`${where} lacks ${name}`);
    const unknown = Object.keys(value).find((name) => !Object.hasOwn(members, name));
    if (unknown !== undefined) wrong(`${where} has an unknown member ${JSON.stringify(unknown.slice(0, 40))}`);
    for (const name of names) members[name](value[name], `${where}.${name}`);
  };
}

/**
 * @param {string} discriminator member whose word decides
 * @param {Record<string, Shape>} variants
 * @returns {Shape}
 */
export function oneOf(discriminator, variants) {
  return (value, where) => {
    const found = isObject(value) ? value[discriminator] : undefined;
    if (typeof found !== "string" || !Object.hasOwn(variants, found)) {
      wrong(`${where}.${discriminator} is none of ${Object.keys(variants).join(", ")}`);
    }
    variants[found](value, where);
  };
}
