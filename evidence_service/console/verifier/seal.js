/** The seal of a certificate (verification.md, 4.2 and 7.2). */
import { ID_DATA, verifySignedData } from "./cms.js";
import { measure } from "./der.js";
import { wrong } from "./errors.js";
import { findVoucher } from "./path.js";
import { readToken } from "./token.js";

const SIGNATURE_TIME_STAMP = "1.2.840.113549.1.9.16.2.14";

/**
 * A seal that is intact.
 * @typedef {object} Seal
 * @property {import("./x509.js").Certificate[]} path signer first
 * @property {import("./token.js").Token | null} token over the signature's value
 */

/**
 * @param {import("./pdf.js").SealedPdf} pdf
 * @returns {Promise<Seal>}
 * @throws {Refusal} wrong: changed, or of another form; limit: as of cms.js
 */
export async function readSeal({ covered, contents }) {
  if (contents[0] !== 0x30 || contents[1] < 0x81 || contents[1] > 0x83) wrong("the seal is not a DER value of the one form");
  const { end } = measure(contents, 0);
  if (contents.subarray(end).some((byte) => byte !== 0)) wrong("the seal is followed by something else than zeros");
  const signed = await verifySignedData(contents.subarray(0, end), {
    contentType: ID_DATA,
    detached: covered,
    unsigned: [SIGNATURE_TIME_STAMP],
  });
  const stamp = signed.unsigned.get(SIGNATURE_TIME_STAMP);
  const token = stamp === undefined ? null : await readToken(stamp.encoded, signed.signature);
  return { path: signed.path, token };
}

/**
 * Who vouches for a seal, at the time of its token when that is by a trusted authority, else now.
 * @param {Seal} seal
 * @param {import("./policy.js").Policy} policy
 * @param {number} now milliseconds since 1970
 * @returns {Promise<{stampedBy: Awaited<ReturnType<typeof findVoucher>>, issuer: Awaited<ReturnType<typeof findVoucher>>,
 *   moment: number}>}
 */
export async function judgeSeal(seal, policy, now) {
  const stampedBy =
    seal.token === null ? null : await findVoucher(seal.token.path, policy.authorities, seal.token.time, { timeStamping: true });
  const moment = stampedBy === null ? now : seal.token.time;
  const issuer = await findVoucher(seal.path, policy.sealIssuers, moment, { timeStamping: false });
  return { stampedBy, issuer, moment };
}
