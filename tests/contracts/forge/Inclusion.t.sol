// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../../contracts/EvidenceAnchor.sol";
import {Common} from "./Cheats.sol";

/// @notice `verifyInclusion` against the recursions of RFC 9162, sections 2.1.1 and 2.1.3.1, taken literally.
contract InclusionTest is Common {
    uint256 private constant LARGEST = 70;

    EvidenceAnchor private _anchor;

    struct Proof {
        bytes32 leaf;
        uint256 index;
        uint256 size;
        bytes32[] path;
        bytes32 root;
    }

    function setUp() public {
        _anchor = new EvidenceAnchor();
    }

    /// forge-config: default.fuzz.runs = 60
    /// forge-config: long.fuzz.runs = 2000
    function testFuzz_EveryLeafOfARandomTreeProves(bytes32 seed, uint256 size) public view {
        size = 1 + size % LARGEST;
        for (uint256 index = 0; index < size; ++index) {
            assert(_holds(_proof(seed, index, size)));
        }
    }

    /// @dev Genuine paths offered for every index and size: sizes of the same shape agree, all others do not.
    function test_EveryClaimAboutASmallTreeIsJudgedAsByTheRecursion() public view {
        uint256 held;
        for (uint256 actual = 1; actual <= 9; ++actual) {
            for (uint256 leaf = 0; leaf < actual; ++leaf) {
                Proof memory proof = _proof("claims", leaf, actual);
                for (proof.size = 0; proof.size <= 10; ++proof.size) {
                    for (proof.index = 0; proof.index <= 10; ++proof.index) {
                        bool expected = _holdsByRecursion(proof);
                        assert(_holds(proof) == expected);
                        if (expected) ++held;
                    }
                }
            }
        }
        assert(held > 45);
    }

    function testFuzz_AnyFlippedBitFails(
        bytes32 seed,
        uint256 index,
        uint256 size,
        uint256 place,
        uint256 bit
    ) public view {
        size = 1 + size % LARGEST;
        Proof memory proof = _proof(seed, index % size, size);
        bytes32 flip = bytes32(1 << (bit % 256));
        place %= proof.path.length + 2;
        if (place < proof.path.length) proof.path[place] ^= flip;
        else if (place == proof.path.length) proof.leaf ^= flip;
        else proof.root ^= flip;
        assert(!_holds(proof));
    }

    function test_EveryFlippedBitOfATreeOf13Fails() public view {
        for (uint256 index = 0; index < 13; index += 4) {
            Proof memory proof = _proof("thirteen", index, 13);
            assert(_holds(proof));
            for (uint256 bit = 0; bit < 256; ++bit) {
                bytes32 flip = bytes32(1 << bit);
                for (uint256 place = 0; place < proof.path.length; ++place) {
                    proof.path[place] ^= flip;
                    assert(!_holds(proof));
                    proof.path[place] ^= flip;
                }
                proof.leaf ^= flip;
                assert(!_holds(proof));
                proof.leaf ^= flip;
                proof.root ^= flip;
                assert(!_holds(proof));
                proof.root ^= flip;
            }
        }
    }

    function testFuzz_AnotherIndexFails(bytes32 seed, uint256 index, uint256 size, uint256 other)
        public
        view
    {
        size = 1 + size % LARGEST;
        Proof memory proof = _proof(seed, index % size, size);
        CHEATS.assume(other != proof.index);
        proof.index = other;
        assert(!_holds(proof));
    }

    function testFuzz_AnotherLengthOfThePathFails(bytes32 seed, uint256 index, uint256 size, bytes32 surplus)
        public
        view
    {
        size = 1 + size % LARGEST;
        Proof memory proof = _proof(seed, index % size, size);
        bytes32[] memory path = proof.path;
        proof.path = _joined(path, surplus);
        assert(!_holds(proof));
        if (path.length == 0) return;
        proof.path = new bytes32[](path.length - 1);
        for (uint256 i = 0; i < proof.path.length; ++i) {
            proof.path[i] = path[i];
        }
        assert(!_holds(proof));
    }

    function testFuzz_ArbitraryArgumentsNeverRevert(Proof memory proof) public view {
        assert(
            !_holds(proof)
                || (proof.size > proof.index && (proof.path.length > 0 || proof.leaf == proof.root))
        );
    }

    function _holds(Proof memory proof) private view returns (bool) {
        return _anchor.verifyInclusion(proof.leaf, proof.index, proof.size, proof.path, proof.root);
    }

    function _proof(bytes32 seed, uint256 index, uint256 size) private pure returns (Proof memory) {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = sha256(abi.encodePacked(hex"00", seed, i));
        }
        return Proof(leaves[index], index, size, _path(leaves, 0, size, index), _root(leaves, 0, size));
    }

    function _root(bytes32[] memory leaves, uint256 first, uint256 size) private pure returns (bytes32) {
        if (size == 1) return leaves[first];
        uint256 left = _split(size);
        return sha256(
            abi.encodePacked(hex"01", _root(leaves, first, left), _root(leaves, first + left, size - left))
        );
    }

    function _path(bytes32[] memory leaves, uint256 first, uint256 size, uint256 index)
        private
        pure
        returns (bytes32[] memory)
    {
        if (size == 1) return new bytes32[](0);
        uint256 left = _split(size);
        if (index < left) {
            return _joined(_path(leaves, first, left, index), _root(leaves, first + left, size - left));
        }
        return _joined(_path(leaves, first + left, size - left, index - left), _root(leaves, first, left));
    }

    /// @dev Section 2.1.3.1 backwards: the last hash of the path belongs to the topmost split.
    function _holdsByRecursion(Proof memory proof) private pure returns (bool) {
        if (proof.index >= proof.size) return false;
        (bool fits, bytes32 root) = _folded(proof, proof.index, proof.size, proof.path.length);
        return fits && root == proof.root;
    }

    function _folded(Proof memory proof, uint256 index, uint256 size, uint256 left)
        private
        pure
        returns (bool fits, bytes32 root)
    {
        if (size == 1) return (left == 0, proof.leaf);
        if (left == 0) return (false, 0);
        uint256 split = _split(size);
        bytes32 sibling = proof.path[left - 1];
        if (index < split) {
            (fits, root) = _folded(proof, index, split, left - 1);
            return (fits, sha256(abi.encodePacked(hex"01", root, sibling)));
        }
        (fits, root) = _folded(proof, index - split, size - split, left - 1);
        return (fits, sha256(abi.encodePacked(hex"01", sibling, root)));
    }

    /// @dev Largest power of two below `size`.
    function _split(uint256 size) private pure returns (uint256 left) {
        left = 1;
        while (left * 2 < size) left *= 2;
    }

    function _joined(bytes32[] memory path, bytes32 last) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
        longer[path.length] = last;
    }
}
