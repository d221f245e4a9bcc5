/**
 * Why input was refused. The cause decides where a refusal is reported (verification.md, section 2):
 * `limit` as check 0.1, `version` as check 0.2, `wrong` as the number of the step that refused.
 *
 * @typedef {"limit" | "version" | "wrong"} RefusalKind
 */

/** Input that was refused, as against a fault of this program. */
export class Refusal extends Error {
  /**
   * @param {RefusalKind} kind cause, one of three
   * @param {string} message what is wrong, one sentence without a full stop
   */
  constructor(kind, message) {
    super(message);
    this.name = "Refusal";
    /** @type {RefusalKind} */
    this.kind = kind;
  }
}

/** A policy or a parameter that is not usable: the reader's own mistake, never bad evidence (section 3). */
export class UsageError extends Error {
  /** @param {string} message what is wrong with it */
  constructor(message) {
    super(message);
    this.name = "UsageError";
  }
}

/**
 * Refuse input that is not of the one allowed form.
 * @param {string} message
 * @returns {never}
 * @throws {Refusal} kind "wrong", always
 */
export function wrong(message) {
  throw new Refusal("wrong", message);
}

/**
 * Refuse input that is over a limit which protects the verifier.
 * @param {string} message
 * @returns {never}
 * @throws {Refusal} kind "limit", always
 */
export function overLimit(message) {
  throw new Refusal("limit", message);
}

/**
 * Refuse input of a version this program does not know.
 * @param {string} message
 * @returns {never}
 * @throws {Refusal} kind "version", always
 */
export function unknownVersion(message) {
  throw new Refusal("version", message);
}
