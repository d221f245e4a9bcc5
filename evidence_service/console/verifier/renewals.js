/** Check 4.5: old time stamps were stamped again in time (verification.md, section 8). */
import { fromHex, toHex } from "./bytes.js";
import { wrong } from "./errors.js";
import { leafHash, rootFromPath } from "./merkle.js";
import { TOLERANCE } from "./record.js";
import { entryOf, hashOf, stampedOf } from "./renewal_format.js";
import { judgeToken, readImprint } from "./token.js";

/**
 * A token that was read and judged.
 * @typedef {object} Stamp
 * @property {number} time milliseconds since 1970
 * @property {import("./x509.js").Certificate[]} path signer first
 * @property {import("./path.js").Found | null} found who vouches for it
 * @property {Uint8Array[]} lists revocation lists collected for it
 */

/**
 * The tokens of each renewal, once it is known to be about this bundle and not to lie before what it renews.
 * @param {import("./bundle.js").Bundle} bundle
 * @param {Stamp[]} first tokens of the first link
 * @param {import("./policy.js").Policy} policy
 * @returns {Promise<Stamp[][]>}
 * @throws {Refusal} wrong: about something else, or out of order; limit: as of cms.js
 */
export async function readRenewals(bundle, first, policy) {
  const links = [];
  let before = first;
  for (const [position, { document }] of bundle.value.renewals.entries()) {
    checkInclusion(bundle.value, position);
    const { imprint, algorithm } = stampedOf(document);
    const link = [];
    for (const { token, lists } of bundle.renewals[position]) link.push({ ...(await readImprint(token, imprint, algorithm)), lists });
    if (Math.min(...times(link)) + TOLERANCE < Math.max(...times(before))) wrong(`renewal ${position + 1} is dated before what it renews`);
    links.push(link);
    before = link;
  }
  return Promise.all(links.map((link) => Promise.all(link.map((token) => judgeToken(token, policy)))));
}

const times = (tokens) => tokens.map((token) => token.time);

function checkInclusion(value, position) {
  const { document, inclusion } = value.renewals[position];
  if (inclusion.size !== document.size) wrong(`the proof of renewal ${position + 1} is for another number of entries`);
  const hash = hashOf(document.suite);
  const leaf = leafHash(entryOf(value, position), hash);
  const root = rootFromPath(leaf, inclusion.index, inclusion.size, inclusion.path.map(fromHex), hash);
  if (toHex(root) !== document.root) wrong(`renewal ${position + 1} is not about this bundle as it stands`);
}

/**
 * Each link by enough trusted authorities, and renewed before too few of them were left.
 * @param {Stamp[][]} chain tokens of the first link, then those of each renewal
 * @param {number} minimum authorities
 * @returns {{status: "pass" | "fail", family: "trust", why: string}}
 */
export function judgeChain(chain, minimum) {
  const ends = chain.map(endsOf);
  const problems = [];
  for (let number = 1; number < chain.length; number += 1) {
    if (ends[number].size < minimum) problems.push(`${ends[number].size} of the ${minimum} required authorities of renewal ${number} are trusted`);
    const trusted = times(chain[number].filter(isTrusted));
    const older = [...ends[number - 1].values()];
    if (trusted.length === 0 || older.length < minimum) continue;
    const at = Math.max(...trusted);
    if (older.filter((end) => end >= at).length < minimum) problems.push(`renewal ${number} came after what it renews had ended`);
  }
  if (problems.length > 0) return { status: "fail", family: "trust", why: problems.join("; ") };
  const until = [...ends.at(-1).values()].sort((a, b) => b - a)[minimum - 1];
  return { status: "pass", family: "trust", why: `${chain.length - 1} renewals; covered until ${new Date(until).toISOString()}` };
}

const isTrusted = ({ found }) => found !== null;
const endOf = ({ found }) => Math.min(...found.path.map((certificate) => certificate.notAfter));

/** When each trusted authority's last token ends. */
function endsOf(tokens) {
  const ends = new Map();
  for (const token of tokens.filter(isTrusted)) {
    const { name } = token.found.voucher;
    ends.set(name, Math.max(endOf(token), ends.get(name) ?? -Infinity));
  }
  return ends;
}

/**
 * For a bundle without renewals.
 * @param {Stamp[]} first tokens of the first link
 * @param {number} now milliseconds since 1970
 * @returns {number | null} when the last of them that is trusted ended, null when one has not or none is trusted
 */
export function endedAt(first, now) {
  const ends = first.filter(isTrusted).map(endOf);
  const last = Math.max(...ends);
  return ends.length > 0 && last < now ? last : null;
}
