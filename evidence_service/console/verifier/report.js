/** The result of a verification: checks, verdict, exit code (verification.md, sections 2, 11 and 12). */
import { Refusal } from "./errors.js";

/** Every check: its name, its family of failure, what to do when it did not pass. */
const CHECKS = {
  "0.1": ["input is within the limits of the verifier", "format", "nothing is said about truth; ask whoever gave you the file"],
  "0.2": ["formats are of a known version", "format", "verify it with a newer release"],
  "1.1": ["evidence files match the manifest", "integrity", "compare with the original files"],
  "2.1": ["bundle and manifest are whole and strictly formed", "integrity", "get the bundle again from its issuer"],
  "2.2": ["custody log is unbroken and bound to the manifest", "integrity", "ask the issuer for the original custody log"],
  "3.1": ["manifest is included in the batch", "integrity", "wait until the batch is closed, or ask the issuer"],
  "4.1": ["time stamps are intact and over these bytes", "integrity", "ask the issuer for the original tokens"],
  "4.2": ["time stamps are by trusted authorities", "trust", "decide whether to trust the authorities named"],
  "4.3": ["recorded times agree with one another", "integrity", "ask whose clock was wrong"],
  "4.4": ["nobody who vouches in time stamps was revoked", "integrity", "ask the authority, or its issuer, about its certificate"],
  "4.5": ["time stamps were renewed in time", "integrity", "ask the issuer whether and when the evidence was renewed"],
  "4.6": ["attestations of other kinds", "integrity", "write the proof to a file and run: ots verify -f batch-header.json FILE"],
  "5.1": ["anchoring transaction is in a block header", "integrity", "wait for the anchoring, or ask the issuer"],
  "5.2": ["contract's state in that block holds the record", "integrity", "ask the issuer for a proof of the state"],
  "5.3": ["chain and contract are those of the policy", "trust", "decide whether to trust the chain and contract named"],
  "6.1": ["block header is canonical", "integrity", "ask nodes of the chain, or add a checkpoint to the policy"],
  "7.1": ["certificate's seal is intact and covers the whole file", "integrity", "get the certificate again from its issuer"],
  "7.2": ["certificate was sealed by a trusted issuer", "trust", "decide whether to trust the issuer named"],
  "7.3": ["certificate's attachments agree with its bundle", "integrity", "get the certificate again from its issuer"],
  "7.4": ["what the seal rests on was not revoked", "integrity", "ask the issuer since when it is not to be relied on"],
  "7.5": ["document time stamps are intact, trusted and in time", "integrity", "decide whether to trust the authorities named"],
};

/** Checks that may stay undone without making the verdict incomplete. */
const MAY_STAY_UNCHECKED = new Set(["1.1", "4.3", "4.4", "4.5", "4.6", "5.2", "7.4"]);

/**
 * @typedef {"pass" | "fail" | "not_checked" | "pending"} Status
 * @typedef {object} Check
 * @property {string} id
 * @property {string} name
 * @property {Status} status
 * @property {"format" | "integrity" | "trust"} family
 * @property {boolean} required
 * @property {string} why
 * @property {string} what_to_do empty when the check passed
 */

/** Collects the checks of one subject; each number at most once. */
export class Checks {
  constructor() {
    /** @type {Map<string, Check>} */
    this.found = new Map();
  }

  /**
   * @param {string} id number of the check
   * @param {Status} status
   * @param {string} why one sentence
   * @param {"integrity" | "trust"} [meaning] family, where a step has more than the one it is listed with
   */
  add(id, status, why, meaning) {
    const [name, listed, advice] = CHECKS[id];
    const family = meaning ?? listed;
    const earlier = this.found.get(id);
    if (earlier !== undefined) {
      earlier.why += `; ${why}`;
      return;
    }
    const required = !(status === "not_checked" && MAY_STAY_UNCHECKED.has(id));
    this.found.set(id, { id, name, status, family, required, why, what_to_do: status === "pass" ? "" : advice });
  }

  /**
   * Report what a step threw: the cause decides the number. Anything but a refusal is a fault of this program
   * that hostile input brought out, and never a pass.
   * @param {string} id number of the step
   * @param {unknown} error
   */
  refuse(id, error) {
    const kind = error instanceof Refusal ? error.kind : "wrong";
    const why = error instanceof Error ? error.message : String(error);
    if (kind === "limit") this.add("0.1", "fail", why);
    else if (kind === "version") this.add("0.2", "fail", why);
    else this.add(id, "fail", why);
  }

  /**
   * @param {string} id
   * @returns {Status | undefined} undefined when the step did not run
   */
  status(id) {
    return this.found.get(id)?.status;
  }

  /** @returns {Check[]} in the order of their numbers */
  list() {
    return [...this.found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }
}

/**
 * @typedef {"invalid" | "over_limit" | "unsupported" | "untrusted" | "pending" | "incomplete" | "demonstration" |
 *   "evidence" | "nothing_found"} Verdict
 */

const EXIT_CODES = {
  invalid: 3, over_limit: 9, unsupported: 8, untrusted: 4, pending: 5, incomplete: 6, nothing_found: 7, demonstration: 0, evidence: 0,
};

/**
 * @param {Verdict} verdict
 * @returns {number} exit code
 */
export function exitCodeOf(verdict) {
  return EXIT_CODES[verdict];
}

/**
 * The first condition of section 11 that applies.
 * @param {Check[]} checks
 * @param {boolean} isDemonstration whether one of the parts that vouch is one
 * @returns {Verdict}
 */
export function verdictOf(checks, isDemonstration) {
  if (checks.length === 0) return "nothing_found";
  const failed = (test) => checks.some((check) => check.status === "fail" && test(check));
  const stays = (status) => checks.some((check) => check.required && check.status === status);
  if (failed((check) => check.family === "integrity")) return "invalid";
  if (failed((check) => check.id === "0.1")) return "over_limit";
  if (failed((check) => check.id === "0.2")) return "unsupported";
  if (failed((check) => check.family === "trust")) return "untrusted";
  if (stays("pending")) return "pending";
  if (stays("not_checked")) return "incomplete";
  return isDemonstration ? "demonstration" : "evidence";
}

/**
 * @param {number[]} codes one for each subject
 * @returns {number} the worst
 */
export function worstExitCode(codes) {
  return [3, 9, 8, 4, 5, 6, 7, 0].find((code) => codes.includes(code)) ?? 7;
}
