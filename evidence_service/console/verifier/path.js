/** Trust in a certificate path at a moment (verification.md, section 7). */
import { equal } from "./bytes.js";
import { Refusal } from "./errors.js";
import { isSignedBy } from "./x509.js";

/**
 * @typedef {import("./x509.js").Certificate} Certificate
 * @typedef {import("./policy.js").Voucher} Voucher
 *
 * Who vouches for a path.
 * @typedef {object} Found
 * @property {Voucher} voucher
 * @property {Certificate} root
 * @property {Certificate[]} path signer first, the root at its end
 */

/**
 * The first voucher under which a path is trusted.
 * @param {Certificate[]} path signer first, signatures already verified
 * @param {Voucher[]} vouchers of the policy, in its order
 * @param {number} moment milliseconds since 1970
 * @param {{timeStamping: boolean}} use whether the signer has to be a time-stamping authority
 * @returns {Promise<Found | null>}
 */
export async function findVoucher(path, vouchers, moment, use) {
  for (const voucher of vouchers) {
    for (const root of voucher.roots) {
      const complete = await reach(path, root);
      if (complete !== null && isAcceptable(complete, moment, use)) return { voucher, root, path: complete };
    }
  }
  return null;
}

/** Clause 1: the top is the root, or is issued by it. */
async function reach(path, root) {
  const top = path.at(-1);
  if (equal(top.der, root.der)) return path;
  if (!equal(top.issuer, root.subject)) return null;
  try {
    return (await isSignedBy(top, root)) ? [...path, root] : null;
  } catch (error) {
    // A root with a key that cannot be used vouches for nobody; the evidence is not worse for it.
    if (error instanceof Refusal) return null;
    throw error;
  }
}

function isAcceptable(path, moment, { timeStamping }) {
  if (path.some((item) => moment < item.notBefore || moment > item.notAfter)) return false;
  if (path.some((item) => item.unknownCritical)) return false;
  if (timeStamping && !path[0].timeStampingOnly) return false;
  return path.slice(1).every((item, between) => {
    const { basicConstraints, keyUsage } = item;
    if (basicConstraints === null || !basicConstraints.ca) return false;
    if (basicConstraints.pathLength !== null && basicConstraints.pathLength < BigInt(between)) return false;
    return keyUsage === null || keyUsage.keyCertSign;
  });
}
