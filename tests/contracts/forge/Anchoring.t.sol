// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../../contracts/EvidenceAnchor.sol";
import {IEvidenceAnchor} from "../../../contracts/IEvidenceAnchor.sol";
import {Cheats, Common} from "./Cheats.sol";

/// @notice Properties of anchoring for arbitrary inputs, blocks and callers.
contract AnchoringTest is Common {
    EvidenceAnchor private _anchor;

    struct Moment {
        uint64 time;
        uint64 number;
    }

    function setUp() public {
        _anchor = new EvidenceAnchor();
    }

    function test_TheCodeIsThePinnedOne() public view {
        string memory pinned = CHEATS.readFile("evidence_service/anchor/EvidenceAnchor.json");
        assert(address(_anchor).codehash == CHEATS.parseJsonBytes32(pinned, ".codeHash"));
    }

    function testFuzz_ARecordHoldsTheBlocksTimeAndNumber(
        address submitter,
        bytes32 commitment,
        uint64 leaves,
        Moment memory when
    ) public {
        _acceptable(commitment, leaves, when);
        CHEATS.recordLogs();
        CHEATS.prank(submitter);
        assert(_anchor.anchor(commitment, leaves) == when.time);
        assert(equal(recordOf(_anchor, submitter, commitment), Record(when.time, when.number, leaves)));
        Cheats.Log[] memory logs = CHEATS.getRecordedLogs();
        assert(logs.length == 1 && logs[0].emitter == address(_anchor) && logs[0].topics.length == 3);
        assert(logs[0].topics[0] == keccak256("Anchored(address,bytes32,uint64)"));
        assert(logs[0].topics[1] == bytes32(uint256(uint160(submitter))) && logs[0].topics[2] == commitment);
        assert(abi.decode(logs[0].data, (uint64)) == leaves);
    }

    function testFuzz_TheFirstRecordNeverChanges(
        address submitter,
        bytes32 commitment,
        uint64[2] memory leaves,
        Moment[2] memory when
    ) public {
        _acceptable(commitment, leaves[1], when[1]);
        _acceptable(commitment, leaves[0], when[0]);
        CHEATS.prank(submitter);
        _anchor.anchor(commitment, leaves[0]);
        _move(when[1]);
        CHEATS.recordLogs();
        CHEATS.prank(submitter);
        assert(_anchor.anchor(commitment, leaves[1]) == when[0].time);
        assert(CHEATS.getRecordedLogs().length == 0);
        assert(
            equal(recordOf(_anchor, submitter, commitment), Record(when[0].time, when[0].number, leaves[0]))
        );
    }

    function testFuzz_NobodysCallTouchesAnothersRecord(
        address[2] memory submitters,
        bytes32 commitment,
        uint64[2] memory leaves,
        Moment[2] memory when
    ) public {
        CHEATS.assume(submitters[0] != submitters[1]);
        _acceptable(commitment, leaves[1], when[1]);
        CHEATS.prank(submitters[1]);
        _anchor.anchor(commitment, leaves[1]);
        assert(equal(recordOf(_anchor, submitters[0], commitment), Record(0, 0, 0)));
        _acceptable(commitment, leaves[0], when[0]);
        CHEATS.prank(submitters[0]);
        assert(_anchor.anchor(commitment, leaves[0]) == when[0].time);
        assert(
            equal(
                recordOf(_anchor, submitters[0], commitment), Record(when[0].time, when[0].number, leaves[0])
            )
        );
        assert(
            equal(
                recordOf(_anchor, submitters[1], commitment), Record(when[1].time, when[1].number, leaves[1])
            )
        );
    }

    function testFuzz_ASignedPermissionAnchorsForItsSigner(
        uint256 key,
        address relayer,
        bytes32 commitment,
        uint64 leaves,
        uint64 deadline,
        Moment memory when
    ) public {
        key = 1 + key % (CURVE_ORDER - 1);
        _acceptable(commitment, leaves, when);
        CHEATS.assume(relayer != CHEATS.addr(key));
        if (deadline < when.time) deadline = when.time;
        bytes memory signature = permission(_anchor, key, commitment, leaves, deadline);
        CHEATS.prank(relayer);
        assert(_anchor.anchorFor(CHEATS.addr(key), commitment, leaves, deadline, signature) == when.time);
        assert(equal(recordOf(_anchor, CHEATS.addr(key), commitment), Record(when.time, when.number, leaves)));
        assert(equal(recordOf(_anchor, relayer, commitment), Record(0, 0, 0)));
    }

    function testFuzz_AnyChangedBitOfASignatureIsRefused(
        uint256 key,
        bytes32 commitment,
        uint64 leaves,
        uint256 bit,
        Moment memory when
    ) public {
        key = 1 + key % (CURVE_ORDER - 1);
        _acceptable(commitment, leaves, when);
        bytes memory signature = permission(_anchor, key, commitment, leaves, when.time);
        bit %= 520;
        signature[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        _refused(
            CHEATS.addr(key),
            commitment,
            leaves,
            when.time,
            signature,
            IEvidenceAnchor.InvalidSignature.selector
        );
    }

    /// @dev EIP-2: the same curve point proves with s mirrored at the order and the other v.
    function testFuzz_TheMalleableTwinIsRefused(uint256 key, bytes32 commitment, uint64 leaves) public {
        key = 1 + key % (CURVE_ORDER - 1);
        bytes memory made = permission(_anchor, key, commitment, leaves, type(uint64).max);
        (bytes32 r, uint256 s) = abi.decode(made, (bytes32, uint256));
        bytes memory twin = abi.encodePacked(r, CURVE_ORDER - s, uint8(55 - uint8(made[64])));
        _refused(
            CHEATS.addr(key),
            commitment,
            leaves,
            type(uint64).max,
            twin,
            IEvidenceAnchor.InvalidSignature.selector
        );
    }

    function testFuzz_SurplusBytesAreRefused(
        uint256 key,
        bytes32 commitment,
        uint64 leaves,
        bytes memory surplus
    ) public {
        key = 1 + key % (CURVE_ORDER - 1);
        CHEATS.assume(surplus.length > 0);
        bytes memory made =
            abi.encodePacked(permission(_anchor, key, commitment, leaves, type(uint64).max), surplus);
        _refused(
            CHEATS.addr(key),
            commitment,
            leaves,
            type(uint64).max,
            made,
            IEvidenceAnchor.InvalidSignature.selector
        );
    }

    function testFuzz_ZeroIsRefused(address submitter, bytes32 commitment, uint64 leaves) public {
        CHEATS.assume(leaves != 0 && commitment != 0);
        CHEATS.prank(submitter);
        (bool accepted, bytes memory said) =
            address(_anchor).call(abi.encodeCall(_anchor.anchor, (0, leaves)));
        assert(!accepted && bytes4(said) == IEvidenceAnchor.ZeroCommitment.selector);
        CHEATS.prank(submitter);
        (accepted, said) = address(_anchor).call(abi.encodeCall(_anchor.anchor, (commitment, 0)));
        assert(!accepted && bytes4(said) == IEvidenceAnchor.ZeroLeafCount.selector);
    }

    function testFuzz_NobodySignsAsTheZeroAddress(bytes32 commitment, uint64 leaves, bytes memory made)
        public
    {
        _refused(
            address(0), commitment, leaves, type(uint64).max, made, IEvidenceAnchor.InvalidSignature.selector
        );
    }

    function testFuzz_ArbitraryBytesAreNoSignature(
        address submitter,
        bytes32 commitment,
        uint64 leaves,
        bytes memory made
    ) public {
        _refused(
            submitter, commitment, leaves, type(uint64).max, made, IEvidenceAnchor.InvalidSignature.selector
        );
    }

    function testFuzz_APermissionHoldsOnItsChainOnly(
        uint256 key,
        bytes32 commitment,
        uint64 leaves,
        uint64 chain
    ) public {
        key = 1 + key % (CURVE_ORDER - 1);
        CHEATS.assume(chain != block.chainid && chain != 0);
        bytes memory signature = permission(_anchor, key, commitment, leaves, type(uint64).max);
        CHEATS.chainId(chain);
        _refused(
            CHEATS.addr(key),
            commitment,
            leaves,
            type(uint64).max,
            signature,
            IEvidenceAnchor.InvalidSignature.selector
        );
    }

    function testFuzz_ALapsedPermissionIsRefused(
        uint256 key,
        bytes32 commitment,
        uint64 leaves,
        uint64 deadline
    ) public {
        key = 1 + key % (CURVE_ORDER - 1);
        CHEATS.assume(deadline < type(uint64).max);
        bytes memory signature = permission(_anchor, key, commitment, leaves, deadline);
        CHEATS.warp(uint256(deadline) + 1);
        _refused(
            CHEATS.addr(key), commitment, leaves, deadline, signature, IEvidenceAnchor.DeadlinePassed.selector
        );
    }

    function testFuzz_UnknownCallsAndEtherAreRefused(bytes memory data, uint96 value) public {
        bytes4 selector = bytes4(data);
        bool known = selector == _anchor.anchor.selector || selector == _anchor.anchorFor.selector
            || selector == _anchor.anchorOf.selector || selector == _anchor.verifyInclusion.selector;
        CHEATS.assume(value > 0 || !known);
        (bool accepted,) = address(_anchor).call{value: value}(data);
        assert(!accepted && address(_anchor).balance == 0);
    }

    function _refused(
        address submitter,
        bytes32 commitment,
        uint64 leaves,
        uint64 deadline,
        bytes memory signature,
        bytes4 why
    ) private {
        try _anchor.anchorFor(submitter, commitment, leaves, deadline, signature) {
            assert(false);
        } catch (bytes memory said) {
            assert(bytes4(said) == why);
        }
        assert(equal(recordOf(_anchor, submitter, commitment), Record(0, 0, 0)));
    }

    function _acceptable(bytes32 commitment, uint64 leaves, Moment memory when) private {
        CHEATS.assume(commitment != 0 && leaves != 0 && when.time != 0);
        _move(when);
    }

    function _move(Moment memory when) private {
        CHEATS.warp(when.time);
        CHEATS.roll(when.number);
    }
}
