// Prints, as one JSON array, the names of the inclusion vectors that the browser's verifier accepts.
import { readFileSync } from "node:fs";

import { Refusal } from "../../../evidence_service/console/verifier/errors.js";
import { rootFromPath } from "../../../evidence_service/console/verifier/merkle.js";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));

function accepts({ leaf_hash, index, size, path, root }) {
  try {
    const found = rootFromPath(bytes(leaf_hash), index, size, path.map(bytes));
    return Buffer.from(found).toString("hex") === root;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

const { cases } = JSON.parse(readFileSync(process.argv[2], "utf8"));
process.stdout.write(JSON.stringify(cases.filter(accepts).map(({ name }) => name)));
