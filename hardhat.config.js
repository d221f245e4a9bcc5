"use strict";
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");
const settings = require("./contracts/compiler.json");

// The compiler comes from the npm package: Hardhat would download one, which needs a network.
subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async () => {
  const longVersion = require("solc/package.json").version;
  return {
    compilerPath: require.resolve("solc/soljson.js"),
    isSolcJs: true,
    version: longVersion,
    longVersion,
  };
});

module.exports = {
  solidity: { version: "0.8.37", settings },
  networks: { hardhat: { hardfork: settings.evmVersion } },
  paths: { tests: "tests/contracts/hardhat" },
};
