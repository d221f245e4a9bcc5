/** The reader's own trust policy `evidence-trust/1` (verification.md, section 3). */
import { equal, fromBase64 } from "./bytes.js";
import { parseLoose } from "./canonical.js";
import { Refusal, UsageError } from "./errors.js";
import * as shape from "./shapes.js";
import { parseCertificate } from "./x509.js";

const FORMAT = "evidence-trust/1";
const NAME = shape.text({ minimum: 1, maximum: 200 });

const VOUCHERS = shape.listOf(
  shape.record({
    name: NAME,
    roots: shape.listOf(shape.binary(16 * 1024), { minimum: 1, maximum: 20 }),
    demonstration: shape.boolean,
  }),
  { maximum: 50 },
);

const SHAPE = shape.record({
  format: shape.choice(FORMAT),
  name: NAME,
  authorities: shape.record({ minimum: shape.integer({ minimum: 1, maximum: 10 }), trusted: VOUCHERS }),
  seal_issuers: VOUCHERS,
  chains: shape.listOf(
    shape.record({
      name: NAME,
      chain_id: shape.decimal(),
      contract: shape.prefixedHexadecimal(20),
      code_hash: shape.prefixedHexadecimal(32),
      checkpoints: shape.listOf(
        shape.record({ number: shape.decimal(), hash: shape.prefixedHexadecimal(32) }),
        { maximum: 10_000 },
      ),
    }),
    { maximum: 50 },
  ),
});

/** Development chains and test networks: never evidence, whatever a policy says. */
const DEMONSTRATION_CHAINS = new Set([
  "5", "97", "1337", "5777", "17000", "31337", "80002", "84532", "421614", "560048", "11155111", "11155420",
]);

/**
 * Somebody the reader trusts to vouch for a key.
 * @typedef {object} Voucher
 * @property {string} name
 * @property {import("./x509.js").Certificate[]} roots
 * @property {boolean} demonstration
 */

/**
 * @typedef {object} Policy
 * @property {string} name
 * @property {number} minimum authorities that must have stamped
 * @property {Voucher[]} authorities
 * @property {Voucher[]} sealIssuers
 * @property {{name: string, chain_id: string, contract: string, code_hash: string,
 *   checkpoints: {number: string, hash: string}[]}[]} chains
 */

/**
 * @param {Uint8Array} bytes JSON of any spacing and order of members
 * @returns {Policy}
 * @throws {UsageError} whatever is wrong with it: it is the reader's own file
 */
export function parsePolicy(bytes) {
  try {
    const value = parseLoose(bytes, { what: "trust policy" });
    shape.checkFormat(value, [FORMAT], "trust policy");
    SHAPE(value, "policy");
    return {
      name: value.name,
      minimum: value.authorities.minimum,
      authorities: value.authorities.trusted.map(voucher),
      sealIssuers: value.seal_issuers.map(voucher),
      chains: value.chains,
    };
  } catch (error) {
    if (error instanceof Refusal) throw new UsageError(`the trust policy cannot be used: ${error.message}`);
    throw error;
  }
}

function voucher(value) {
  return {
    name: value.name,
    demonstration: value.demonstration,
    roots: value.roots.map((root) => parseCertificate(fromBase64(root))),
  };
}

/**
 * @param {Policy} policy
 * @param {string} chainId decimal
 * @param {string} contract 0x and 40 digits
 * @returns {Policy["chains"][number] | undefined} the first that fits both
 */
export function findChain(policy, chainId, contract) {
  return policy.chains.find((chain) => chain.chain_id === chainId && chain.contract === contract);
}

/**
 * @param {string} chainId decimal
 * @returns {boolean} whether nothing on this chain can be evidence
 */
export function isDemonstrationChain(chainId) {
  return DEMONSTRATION_CHAINS.has(chainId);
}

/**
 * Whoever is vouched for by a root of a demonstration voucher is a demonstration, also when another voucher,
 * under which it was found first, holds the same root without saying so.
 * @param {Voucher[]} vouchers all of one kind
 * @param {import("./x509.js").Certificate} root the one that vouched
 * @returns {boolean}
 */
export function isDemonstrationRoot(vouchers, root) {
  return vouchers.some((item) => item.demonstration && item.roots.some((other) => equal(other.der, root.der)));
}

/**
 * Everything trusted, one line each: a reader has to see it (section 3).
 * @param {Policy} policy
 * @returns {string[]}
 */
export function trusts(policy) {
  const mark = (demonstration) => (demonstration ? " (demonstration)" : "");
  return [
    `policy: ${policy.name}; at least ${policy.minimum} time-stamping authorities`,
    ...policy.authorities.map((item) => `time-stamping authority: ${item.name}${mark(item.demonstration)}`),
    ...policy.sealIssuers.map((item) => `seal issuer: ${item.name}${mark(item.demonstration)}`),
    ...policy.chains.map(
      (chain) =>
        `chain ${chain.chain_id}: ${chain.name}${mark(isDemonstrationChain(chain.chain_id))}, ` +
        `contract ${chain.contract}, ${chain.checkpoints.length} checkpoints`,
    ),
  ];
}
