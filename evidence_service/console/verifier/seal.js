/** The seal of a certificate and the document time stamps over it (verification.md, 4.2, 7.2 and 7.5). */
import { ID_DATA, verifySignedData } from "./cms.js";
import { measure } from "./der.js";
import { sha512 } from "./digests.js";
import { wrong } from "./errors.js";
import { findVoucher } from "./path.js";
import { TOLERANCE } from "./record.js";
import { readImprint, readToken } from "./token.js";

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
  const signed = await verifySignedData(valueOf(contents), {
    contentType: ID_DATA,
    detached: covered,
    unsigned: [SIGNATURE_TIME_STAMP],
  });
  const stamp = signed.unsigned.get(SIGNATURE_TIME_STAMP);
  const token = stamp === undefined ? null : await readToken(stamp.encoded, signed.signature);
  return { path: signed.path, token };
}

/** The DER value in a reserved space; what follows it has to be zeros. */
function valueOf(contents) {
  if (contents[0] !== 0x30 || contents[1] < 0x81 || contents[1] > 0x83) wrong("a reserved space does not hold a DER value of the one form");
  const { end } = measure(contents, 0);
  if (contents.subarray(end).some((byte) => byte !== 0)) wrong("a signature is followed by something else than zeros");
  return contents.subarray(0, end);
}

/**
 * The document time stamps, each over everything before it.
 * @param {import("./pdf.js").SealedPdf} pdf
 * @param {import("./token.js").Token | null} first time stamp of the seal's signature
 * @returns {Promise<import("./token.js").Token[]>}
 * @throws {Refusal} wrong: changed, about other data, dated before what it covers; limit: as of cms.js
 */
export async function readStamps({ bytes, stamps }, first) {
  // The file is gone through once for all of them: each covers what the one before it covers, and more.
  const before = sha512.create();
  let position = 0;
  let earlier = first;
  const tokens = [];
  for (const { range, contents } of stamps) {
    before.update(bytes.subarray(position, range.first));
    position = range.first;
    const imprint = before.clone().update(bytes.subarray(range.second, range.end)).digest();
    const token = await readImprint(valueOf(contents), imprint, "SHA-512");
    if (earlier !== null && token.time + TOLERANCE < earlier.time) wrong("a document time stamp is dated before what it covers");
    tokens.push(token);
    earlier = token;
  }
  return tokens;
}

/**
 * Who vouches for a seal.
 * @param {Seal} seal
 * @param {import("./policy.js").Policy} policy
 * @param {number} moment of section 7, milliseconds since 1970
 * @returns {ReturnType<typeof findVoucher>}
 */
export async function judgeSeal(seal, policy, moment) {
  return findVoucher(seal.path, policy.sealIssuers, moment, { timeStamping: false });
}
