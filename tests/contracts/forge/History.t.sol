// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EvidenceAnchor} from "../../../contracts/EvidenceAnchor.sol";
import {IEvidenceAnchor} from "../../../contracts/IEvidenceAnchor.sol";
import {Common} from "./Cheats.sol";

/// @notice Random histories: few submitters and commitments, so that they meet often.
contract World is Common {
    uint256 public constant SUBMITTERS = 4;
    uint256 public constant COMMITMENTS = 6;

    EvidenceAnchor public immutable ANCHOR;
    address[SUBMITTERS] private _submitters;
    mapping(address submitter => mapping(bytes32 commitment => Record)) private _first;
    uint256 private _time = 1_700_000_000;
    uint256 private _number = 1;

    constructor(EvidenceAnchor anchor) {
        ANCHOR = anchor;
        for (uint256 who = 0; who < SUBMITTERS; ++who) {
            _submitters[who] = CHEATS.addr(1 + who);
        }
    }

    function anchorAs(uint256 who, uint256 what, uint64 leafCount, uint32 later) external {
        _pass(later);
        if (leafCount == 0) leafCount = 1;
        CHEATS.prank(submitter(who));
        _expect(submitter(who), commitment(what), leafCount, ANCHOR.anchor(commitment(what), leafCount));
    }

    function relayFor(uint256 who, uint256 what, uint64 leafCount, address relayer, uint32 later) external {
        _pass(later);
        if (leafCount == 0) leafCount = 1;
        uint64 deadline = uint64(block.timestamp);
        bytes memory signature =
            permission(ANCHOR, 1 + who % SUBMITTERS, commitment(what), leafCount, deadline);
        CHEATS.prank(relayer);
        uint64 time = ANCHOR.anchorFor(submitter(who), commitment(what), leafCount, deadline, signature);
        _expect(submitter(who), commitment(what), leafCount, time);
    }

    function forge(uint256 who, uint256 what, uint64 leafCount, bytes calldata signature, uint32 later)
        external
    {
        _pass(later);
        try ANCHOR.anchorFor(submitter(who), commitment(what), leafCount, type(uint64).max, signature) {
            assert(false);
        } catch (bytes memory why) {
            assert(bytes4(why) == IEvidenceAnchor.InvalidSignature.selector);
        }
    }

    /// @dev Anything at all, by anybody but the contract itself, which calls nobody; except what `anchorAs` does.
    function meddle(address caller, bytes calldata data, uint64 value) external {
        if (caller == address(ANCHOR)) return;
        if (bytes4(data) == ANCHOR.anchor.selector && _isSubmitter(caller)) return;
        CHEATS.deal(caller, value);
        CHEATS.prank(caller);
        (bool accepted,) = address(ANCHOR).call{value: value}(data);
        assert(!accepted || value == 0);
    }

    function submitter(uint256 who) public view returns (address) {
        return _submitters[who % SUBMITTERS];
    }

    function commitment(uint256 what) public pure returns (bytes32) {
        return keccak256(abi.encode(what % COMMITMENTS));
    }

    function first(address who, bytes32 what) external view returns (Record memory) {
        return _first[who][what];
    }

    function _isSubmitter(address caller) private view returns (bool found) {
        for (uint256 who = 0; who < SUBMITTERS; ++who) {
            found = found || submitter(who) == caller;
        }
    }

    function _expect(address who, bytes32 what, uint64 leafCount, uint64 time) private {
        if (_first[who][what].time == 0) {
            _first[who][what] = Record(uint64(_time), uint64(_number), leafCount);
        }
        assert(time == _first[who][what].time);
    }

    function _pass(uint32 later) private {
        _time += later;
        _number += 1 + later / 12;
        CHEATS.warp(_time);
        CHEATS.roll(_number);
    }
}

contract HistoryTest is Common {
    EvidenceAnchor private _anchor;
    World private _world;

    function setUp() public {
        _anchor = new EvidenceAnchor();
        _world = new World(_anchor);
    }

    /// @dev forge reads from it whose functions make the histories.
    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_world);
    }

    function invariant_EveryRecordIsTheFirstOneAndNoOtherExists() public view {
        for (uint256 who = 0; who < _world.SUBMITTERS(); ++who) {
            for (uint256 what = 0; what < _world.COMMITMENTS(); ++what) {
                address submitter = _world.submitter(who);
                bytes32 commitment = _world.commitment(what);
                assert(equal(recordOf(_anchor, submitter, commitment), _world.first(submitter, commitment)));
            }
        }
    }

    function invariant_NoEtherStays() public view {
        assert(address(_anchor).balance == 0);
    }
}
