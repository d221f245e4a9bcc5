// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../../contracts/EvidenceAnchor.sol";

/// @notice The few of forge's cheat codes that the tests need; its library is in no registry that we install from.
interface Cheats {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function prank(address sender) external;
    function warp(uint256 time) external;
    function roll(uint256 number) external;
    function deal(address who, uint256 balance) external;
    function chainId(uint256 id) external;
    function assume(bool condition) external pure;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
}

/// @notice What every test here starts from.
abstract contract Common {
    Cheats internal constant CHEATS = Cheats(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant CURVE_ORDER =
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    struct Record {
        uint64 time;
        uint64 blockNumber;
        uint64 leafCount;
    }

    function recordOf(EvidenceAnchor anchor, address submitter, bytes32 commitment)
        internal
        view
        returns (Record memory)
    {
        (uint64 time, uint64 number, uint64 leaves) = anchor.anchorOf(submitter, commitment);
        return Record(time, number, leaves);
    }

    function equal(Record memory a, Record memory b) internal pure returns (bool) {
        return keccak256(abi.encode(a)) == keccak256(abi.encode(b));
    }

    /// @notice EIP-712, written once more from the standard.
    function permission(
        EvidenceAnchor anchor,
        uint256 key,
        bytes32 commitment,
        uint64 leafCount,
        uint64 deadline
    ) internal view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("EvidenceAnchor"),
                keccak256("1"),
                block.chainid,
                anchor
            )
        );
        bytes32 message = keccak256(
            abi.encode(
                keccak256("Anchor(address submitter,bytes32 commitment,uint64 leafCount,uint64 deadline)"),
                CHEATS.addr(key),
                commitment,
                leafCount,
                deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            CHEATS.sign(key, keccak256(abi.encodePacked(hex"1901", domain, message)));
        return abi.encodePacked(r, s, v);
    }
}
