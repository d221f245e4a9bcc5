// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEvidenceAnchor} from "./IEvidenceAnchor.sol";

/// @title Evidence anchor
/// @notice See the interface. Free of immutables, so that the code hash is the same on every chain and can be
/// pinned by a verifier.
contract EvidenceAnchor is IEvidenceAnchor {
    /// @dev One storage slot, lowest bits first: time, block number, number of leaves.
    struct Record {
        uint64 time;
        uint64 blockNumber;
        uint64 leafCount;
    }

    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _ANCHOR_TYPEHASH =
        keccak256("Anchor(address submitter,bytes32 commitment,uint64 leafCount,uint64 deadline)");
    bytes32 private constant _NAME_HASH = keccak256("EvidenceAnchor");
    bytes32 private constant _VERSION_HASH = keccak256("1");

    /// @dev Half of the order of secp256k1; a higher s is the malleable twin of a signature (EIP-2).
    uint256 private constant _MAX_S = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @dev Slot 0; key keccak256(abi.encode(submitter, commitment)). Keyed by submitter, so that copying
    /// somebody's commitment from the mempool takes nothing from them.
    mapping(bytes32 key => Record) private _records;

    /// @inheritdoc IEvidenceAnchor
    function anchor(bytes32 commitment, uint64 leafCount) external returns (uint64 time) {
        return _anchor(msg.sender, commitment, leafCount);
    }

    /// @inheritdoc IEvidenceAnchor
    function anchorFor(
        address submitter,
        bytes32 commitment,
        uint64 leafCount,
        uint64 deadline,
        bytes calldata signature
    ) external returns (uint64 time) {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                keccak256(abi.encode(_DOMAIN_TYPEHASH, _NAME_HASH, _VERSION_HASH, block.chainid, address(this))),
                keccak256(abi.encode(_ANCHOR_TYPEHASH, submitter, commitment, leafCount, deadline))
            )
        );
        // ecrecover answers zero for an invalid signature: nobody may sign as the zero address.
        if (submitter == address(0) || _recover(digest, signature) != submitter) revert InvalidSignature();
        return _anchor(submitter, commitment, leafCount);
    }

    /// @inheritdoc IEvidenceAnchor
    function anchorOf(
        address submitter,
        bytes32 commitment
    ) external view returns (uint64 time, uint64 blockNumber, uint64 leafCount) {
        Record memory found = _records[_key(submitter, commitment)];
        return (found.time, found.blockNumber, found.leafCount);
    }

    /// @inheritdoc IEvidenceAnchor
    function verifyInclusion(
        bytes32 leafHash,
        uint256 index,
        uint256 size,
        bytes32[] calldata path,
        bytes32 root
    ) external pure returns (bool) {
        if (index >= size) return false;
        uint256 position = index;
        uint256 last = size - 1;
        bytes32 result = leafHash;
        for (uint256 i = 0; i < path.length; ++i) {
            if (last == 0) return false;
            if (position & 1 == 1 || position == last) {
                result = _node(path[i], result);
                while (position & 1 == 0 && position != 0) {
                    position >>= 1;
                    last >>= 1;
                }
            } else {
                result = _node(result, path[i]);
            }
            position >>= 1;
            last >>= 1;
        }
        return last == 0 && result == root;
    }

    function _anchor(address submitter, bytes32 commitment, uint64 leafCount) private returns (uint64) {
        if (commitment == bytes32(0)) revert ZeroCommitment();
        if (leafCount == 0) revert ZeroLeafCount();
        bytes32 key = _key(submitter, commitment);
        uint64 first = _records[key].time;
        if (first != 0) return first;
        uint64 time = uint64(block.timestamp);
        _records[key] = Record(time, uint64(block.number), leafCount);
        emit Anchored(submitter, commitment, leafCount);
        return time;
    }

    function _key(address submitter, bytes32 commitment) private pure returns (bytes32) {
        return keccak256(abi.encode(submitter, commitment));
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }

    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        if (uint256(s) > _MAX_S) return address(0);
        return ecrecover(digest, uint8(signature[64]), r, s);
    }
}
