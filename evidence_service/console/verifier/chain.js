/** Anchors in a chain: transaction, receipt and state under a block header (verification.md, 5.1 and 5.2). */
import { concat, equal, fromBase64, fromBigInt, fromHex, toHex } from "./bytes.js";
import { keccak256 } from "./digests.js";
import { unknownVersion, wrong } from "./errors.js";
import { byteString, integerOf, listItems, parseRlp, parseRlpList } from "./rlp.js";
import { valueInTrie } from "./trie.js";

const EVENT = keccak256(new TextEncoder().encode("Anchored(address,bytes32,uint64)"));
/** Last second of the year 9999; later ones have no notation. */
const MAX_TIME = 253_402_300_799n;

/**
 * @typedef {object} BlockHeader
 * @property {Uint8Array} stateRoot
 * @property {Uint8Array} transactionsRoot
 * @property {Uint8Array} receiptsRoot
 * @property {bigint} number
 * @property {bigint} time seconds since 1970
 * @property {string} hash 0x and 64 digits
 */

/**
 * @param {Uint8Array} bytes raw RLP
 * @returns {BlockHeader}
 * @throws {Refusal} wrong: not a header
 */
export function parseHeader(bytes) {
  const items = parseRlpList(bytes, "block header");
  if (items.length < 15 || items.length > 40) wrong("a block header has 15 to 40 fields");
  items.forEach((item) => byteString(item, "field of the block header"));
  const time = integerOf(items[11], "block time", 8);
  if (time > MAX_TIME) wrong("a block after the year 9999");
  return {
    stateRoot: byteString(items[3], "state root", 32),
    transactionsRoot: byteString(items[4], "transactions root", 32),
    receiptsRoot: byteString(items[5], "receipts root", 32),
    number: integerOf(items[8], "block number", 8),
    time,
    hash: `0x${toHex(keccak256(bytes))}`,
  };
}

/** RLP of an integer below 2 to the 32nd: the key of a transaction and of its receipt. */
function indexKey(index) {
  if (index === 0) return Uint8Array.of(0x80);
  if (index < 0x80) return Uint8Array.of(index);
  const digits = index.toString(16);
  const bytes = fromHex(digits.length % 2 === 0 ? digits : `0${digits}`);
  return concat(Uint8Array.of(0x80 + bytes.length), bytes);
}

/** Type of a transaction or receipt and the list behind it; type 0 is the one without a type byte. */
function typed(value, what) {
  if (value[0] >= 0xc0) return { type: 0, fields: parseRlpList(value, what) };
  if (value[0] < 1 || value[0] > 4) unknownVersion(`a ${what} of type ${value[0]}, which this program does not know`);
  return { type: value[0], fields: parseRlpList(value.subarray(1), what) };
}

function checkTransaction(value, anchor) {
  const { type, fields } = typed(value, "transaction");
  let chainId;
  if (type === 0) {
    if (fields.length !== 9) wrong("a transaction of type 0 has 9 fields");
    const parity = integerOf(fields[6], "signature of the transaction", 40);
    if (parity < 35n) wrong("the transaction is not bound to a chain (EIP-155)");
    chainId = (parity - 35n) / 2n;
  } else {
    if (fields.length < 11) wrong("a typed transaction has at least 11 fields");
    chainId = integerOf(fields[0], "chain of the transaction", 32);
  }
  if (chainId.toString() !== anchor.chain_id) wrong("the transaction is for another chain");
  const recipient = byteString(fields[[3, 4, 5, 5, 5][type]], "recipient");
  if (!equal(recipient, fromHex(anchor.contract))) wrong("the transaction is not for the contract");
  return type;
}

function checkReceipt(value, type, anchor, { commitment, size }) {
  const receipt = typed(value, "receipt");
  if (receipt.type !== type) wrong("transaction and receipt are of different types");
  if (receipt.fields.length !== 4) wrong("a receipt has 4 fields");
  const status = byteString(receipt.fields[0], "status");
  if (status.length !== 1 || status[0] !== 1) wrong("the transaction failed");
  const log = listItems(listItems(receipt.fields[3], "logs")[anchor.receipt.log_index], "log");
  if (log.length !== 3) wrong("a log has three parts");
  if (!equal(byteString(log[0], "log"), fromHex(anchor.contract))) wrong("the log is not by the contract");
  const expected = [EVENT, padded(fromHex(anchor.submitter)), commitment];
  const topics = listItems(log[1], "topics").map((topic) => byteString(topic, "topic"));
  if (topics.length !== 3 || topics.some((topic, at) => !equal(topic, expected[at]))) wrong("the log is not about this commitment");
  if (!equal(byteString(log[2], "data of the log"), fromBigInt(BigInt(size), 32))) wrong("the log holds another size of the batch");
}

const padded = (address) => concat(new Uint8Array(32 - address.length), address);

/**
 * Check 5.1 for one anchor.
 * @param {object} anchor checked member of the bundle
 * @param {{commitment: Uint8Array, size: number}} batch what was anchored
 * @returns {{header: BlockHeader, transaction: string}} with the transaction's hash
 * @throws {Refusal} wrong: the proof does not hold; version: an unknown type; limit: over a limit of RLP
 */
export function checkAnchor(anchor, batch) {
  const header = parseHeader(fromBase64(anchor.header));
  const key = indexKey(anchor.transaction.index);
  const transaction = valueInTrie(header.transactionsRoot, key, anchor.transaction.proof.map(fromBase64));
  const type = checkTransaction(transaction, anchor);
  const receipt = valueInTrie(header.receiptsRoot, key, anchor.receipt.proof.map(fromBase64));
  checkReceipt(receipt, type, anchor, batch);
  return { header, transaction: `0x${toHex(keccak256(transaction))}` };
}

/**
 * Check 5.2 for one anchor that has a state proof.
 * @param {object} anchor checked member of the bundle, its state not null
 * @param {BlockHeader} header of the same anchor
 * @param {{commitment: Uint8Array, size: number}} batch
 * @throws {Refusal} as {@link checkAnchor}
 */
export function checkState(anchor, header, { commitment, size }) {
  const { account_proof: accountProof, storage_proof: storageProof } = anchor.state;
  const account = valueInTrie(header.stateRoot, keccak256(fromHex(anchor.contract)), accountProof.map(fromBase64));
  const fields = parseRlpList(account, "account");
  if (fields.length !== 4) wrong("an account has 4 fields");
  if (!equal(byteString(fields[3], "code hash"), fromHex(anchor.code_hash))) wrong("the contract has other code");
  const storageRoot = byteString(fields[2], "storage root", 32);
  const inner = keccak256(concat(padded(fromHex(anchor.submitter)), commitment));
  const slot = keccak256(concat(inner, new Uint8Array(32)));
  const value = valueInTrie(storageRoot, keccak256(slot), storageProof.map(fromBase64));
  const record = integerOf(parseRlp(value), "record of the contract", 32);
  const mask = (1n << 64n) - 1n;
  if ((record & mask) !== header.time) wrong("the record was made at another time than the block");
  if (((record >> 64n) & mask) > header.number) wrong("the record was made in a later block");
  if (record >> 128n !== BigInt(size)) wrong("the record holds another size of the batch");
}
