/**
 * Runs the second implementation of the verifier over a list of cases.
 *
 *     node tests/forgeries/second.mjs CASES.json
 *
 * CASES.json: an array of {name, pdf: path|null, bundle: path|null, files: [{name, path}], digests: [hex],
 * trust: path, now: RFC 3339}. Prints one line of JSON for each case: {name, verdict, exit_code, level, checks, why};
 * verdict "usage" (2) for a trust file that cannot be used, "fault" (1) for a fault of the program.
 */
import { readFileSync } from "node:fs";

import { parsePolicy, UsageError, verify } from "../../evidence_service/console/verifier/verifier.js";

const policies = new Map();

function policyOf(path) {
  if (!policies.has(path)) policies.set(path, parsePolicy(read(path)));
  return policies.get(path);
}

const read = (path) => new Uint8Array(readFileSync(path));
const readOptional = (path) => (path === null || path === undefined ? null : read(path));

async function run(item) {
  const material = {
    subject: item.name,
    pdf: readOptional(item.pdf),
    bundle: readOptional(item.bundle),
    files: (item.files ?? []).map(({ name, path }) => ({ name, bytes: read(path) })),
    digests: item.digests ?? [],
  };
  const now = new Date(item.now);
  if (Number.isNaN(now.getTime())) throw new UsageError(`now is not a time: ${item.now}`);
  const result = await verify(material, policyOf(item.trust), now);
  return {
    name: item.name,
    verdict: result.verdict,
    exit_code: result.exit_code,
    level: result.evidence?.seal?.level ?? null,
    checks: Object.fromEntries(result.checks.map((check) => [check.id, check.status])),
    why: Object.fromEntries(result.checks.map((check) => [check.id, check.why])),
  };
}

for (const item of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  let line;
  try {
    line = await run(item);
  } catch (error) {
    const isUsage = error instanceof UsageError;
    line = { name: item?.name, verdict: isUsage ? "usage" : "fault", exit_code: isUsage ? 2 : 1, checks: {}, why: { "": String(error) } };
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
