// The contract through another stack: Hardhat's EVM, ethers' encoding and signing, the artefact Hardhat compiled.
"use strict";
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const { artifacts, network } = require("hardhat");
const { BrowserProvider, ContractFactory, Wallet, ZeroHash, id, keccak256 } = require("ethers");

const ROOT = join(__dirname, "..", "..", "..");
const read = (...path) => JSON.parse(readFileSync(join(ROOT, ...path), "utf8"));
const TYPES = {
  Anchor: [
    { name: "submitter", type: "address" },
    { name: "commitment", type: "bytes32" },
    { name: "leafCount", type: "uint64" },
    { name: "deadline", type: "uint64" },
  ],
};
const FOREVER = 2n ** 64n - 1n;

describe("EvidenceAnchor", () => {
  let provider, submitter, relayer, anchor, address;

  before(async () => {
    // Hardhat reports the chain of this moment only; ethers must not keep answers in between.
    provider = new BrowserProvider(network.provider, undefined, { cacheTimeout: -1 });
    submitter = await provider.getSigner(0);
    relayer = await provider.getSigner(1);
    const { abi, bytecode } = await artifacts.readArtifact("EvidenceAnchor");
    anchor = await new ContractFactory(abi, bytecode, submitter).deploy();
    await anchor.waitForDeployment();
    address = await anchor.getAddress();
  });

  const recordOf = async (who, commitment) => (await anchor.anchorOf(who, commitment)).toArray();
  const mined = async (sent) => (await sent).wait();
  const refused = (call, name) =>
    assert.rejects(call, (error) => error.revert?.name === name || assert.fail(`${error.message}, not ${name}`));

  it("has the pinned code", async () => {
    const pinned = read("evidence_service", "anchor", "EvidenceAnchor.json");
    assert.equal(keccak256(await provider.getCode(address)), pinned.codeHash);
  });

  it("records block time and number once, and says so once", async () => {
    const commitment = id("records once");
    const first = await mined(anchor.anchor(commitment, 7));
    const block = await first.getBlock();
    const [event] = first.logs.map((log) => anchor.interface.parseLog(log));
    assert.deepEqual(event.args.toArray(), [submitter.address, commitment, 7n]);
    const again = await mined(anchor.anchor(commitment, 8));
    assert.equal(again.logs.length, 0);
    const expected = [BigInt(block.timestamp), BigInt(block.number), 7n];
    assert.deepEqual(await recordOf(submitter, commitment), expected);
  });

  it("keeps one submitter's records from another", async () => {
    const commitment = id("copied from the mempool");
    await mined(anchor.connect(relayer).anchor(commitment, 1));
    assert.deepEqual(await recordOf(submitter, commitment), [0n, 0n, 0n]);
  });

  it("refuses a commitment and a number of leaves of zero", async () => {
    await refused(anchor.anchor.staticCall(ZeroHash, 1), "ZeroCommitment");
    await refused(anchor.anchor.staticCall(id("no leaves"), 0), "ZeroLeafCount");
  });

  describe("in another's name", () => {
    const owner = new Wallet("0x" + "2a".repeat(32));
    const message = (name, deadline = FOREVER) => ({
      submitter: owner.address,
      commitment: id(name),
      leafCount: 3n,
      deadline,
    });
    const sign = async (value, changes = {}, key = owner) => {
      const { chainId } = await provider.getNetwork();
      const domain = { name: "EvidenceAnchor", version: "1", chainId, verifyingContract: address, ...changes };
      return key.signTypedData(domain, TYPES, value);
    };
    const relay = (value, signature) =>
      [value.submitter, value.commitment, value.leafCount, value.deadline, signature];

    it("records for the signer, whoever pays", async () => {
      const value = message("relayed");
      await mined(anchor.connect(relayer).anchorFor(...relay(value, await sign(value))));
      assert.equal((await recordOf(owner.address, value.commitment))[2], 3n);
      assert.deepEqual(await recordOf(relayer.address, value.commitment), [0n, 0n, 0n]);
    });

    it("refuses another signer, chain, contract and a lapsed permission", async () => {
      const value = message("refused");
      const attempt = (signed, signature) => anchor.anchorFor.staticCall(...relay(signed, signature));
      const stranger = new Wallet("0x" + "07".repeat(32));
      await refused(attempt(value, await sign(value, {}, stranger)), "InvalidSignature");
      await refused(attempt(value, await sign(value, { chainId: 1n })), "InvalidSignature");
      await refused(attempt(value, await sign(value, { verifyingContract: owner.address })), "InvalidSignature");
      const lapsed = message("lapsed", 1n);
      await refused(attempt(lapsed, await sign(lapsed)), "DeadlinePassed");
    });
  });

  it("judges every inclusion vector as expected", async () => {
    const { cases } = read("tests", "vectors", "inclusion.json");
    for (const { name, leaf_hash: leaf, index, size, path, root, valid } of cases) {
      const found = await anchor.verifyInclusion(`0x${leaf}`, index, size, path.map((hash) => `0x${hash}`), `0x${root}`);
      assert.equal(found, valid, name);
    }
  });
});
