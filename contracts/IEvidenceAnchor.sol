// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

/// @title Public surface of the evidence anchor
/// @notice Records the first time at which a submitter committed to a batch of evidence. Nobody owns the
/// contract; nothing in it can be changed, paused, upgraded or charged for.
interface IEvidenceAnchor {
    /// @notice A submitter committed to a batch for the first time. A repetition emits nothing.
    /// @param submitter who committed: the caller of `anchor`, or the signer given to `anchorFor`
    /// @param commitment 32-byte commitment of the batch header
    /// @param leafCount number of entries in the batch, never zero
    event Anchored(address indexed submitter, bytes32 indexed commitment, uint64 leafCount);

    /// @notice The commitment is zero.
    error ZeroCommitment();

    /// @notice The number of leaves is zero.
    error ZeroLeafCount();

    /// @notice The signed permission has lapsed.
    /// @param deadline last second at which it could be used
    error DeadlinePassed(uint64 deadline);

    /// @notice The signature has another length than 65 bytes, a high s, a wrong v, or another signer.
    error InvalidSignature();

    /// @notice Commit to a batch in the caller's own name.
    /// @dev Idempotent: a repetition changes nothing and returns the first time, whatever `leafCount` it gives.
    /// @param commitment commitment of the batch header, not zero
    /// @param leafCount number of entries in the batch, not zero
    /// @return time block time of the first anchoring, seconds since 1970
    function anchor(bytes32 commitment, uint64 leafCount) external returns (uint64 time);

    /// @notice Commit to a batch in the name of a submitter who signed it (EIP-712), at the caller's cost.
    /// @dev Signed type: `Anchor(address submitter,bytes32 commitment,uint64 leafCount,uint64 deadline)` in
    /// the domain name `EvidenceAnchor`, version `1`, this chain, this contract. No nonce is needed: using a
    /// signature again changes nothing.
    /// @param submitter signer in whose name the commitment is recorded
    /// @param commitment commitment of the batch header, not zero
    /// @param leafCount number of entries in the batch, not zero
    /// @param deadline last second at which the signature may be used
    /// @param signature r (32 bytes), s (32 bytes, lower half of the order), v (27 or 28)
    /// @return time block time of the first anchoring, seconds since 1970
    function anchorFor(
        address submitter,
        bytes32 commitment,
        uint64 leafCount,
        uint64 deadline,
        bytes calldata signature
    ) external returns (uint64 time);

    /// @notice What is recorded for a submitter and a commitment; all zero when nothing is.
    /// @param submitter who committed
    /// @param commitment commitment of the batch header
    /// @return time block time of the first anchoring, seconds since 1970
    /// @return blockNumber number of that block
    /// @return leafCount number of entries given then
    function anchorOf(
        address submitter,
        bytes32 commitment
    ) external view returns (uint64 time, uint64 blockNumber, uint64 leafCount);

    /// @notice Whether a leaf is in a tree (RFC 9162 section 2.1.3.2 over SHA-256).
    /// @param leafHash SHA-256(0x00 || entry), computed by the caller
    /// @param index position of the leaf, from zero
    /// @param size number of leaves of the tree
    /// @param path sibling hashes from the leaf upwards
    /// @param root expected root
    /// @return whether the path leads from the leaf at this index to the root
    function verifyInclusion(
        bytes32 leafHash,
        uint256 index,
        uint256 size,
        bytes32[] calldata path,
        bytes32 root
    ) external pure returns (bool);
}
