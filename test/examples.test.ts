import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT, runNode, whyNotBuilt } from "./helpers/built.ts";
import { shortDemo } from "./helpers/small-models.ts";
import { sharedFolder } from "./helpers/temporary.ts";
import { newOutput } from "./helpers/written.ts";

const reason = whyNotBuilt();
const README = join(ROOT, "README.md");

/** Arguments after the model, and what the example must print. */
const EXAMPLES: Record<string, { args: string[]; prints: RegExp }> = {
  "prune.mjs": { args: [], prints: /layer \d+: \d+ neurons[\s\S]*perplexity/ },
  "compare-methods.mjs": { args: [README], prints: /obs \+ least-squares: KL [\d.]+[\s\S]*wanda/ },
  "own-criterion.ts": { args: [], prints: /probe: KL [\d.]+ nats\nwanda: KL [\d.]+ nats\nrandom: KL/ },
  "plan-and-stop.mjs": { args: [], prints: /width \d+ → \d+\nstopped after the first layer\n$/ },
};

test("every example is run", () => {
  expect(readdirSync(join(ROOT, "examples")).sort()).toEqual(Object.keys(EXAMPLES).sort());
});

describe.skipIf(reason)(`examples${reason ? ` (${reason})` : ""}`, () => {
  const model = shortDemo(sharedFolder(), 3);

  test.each(Object.entries(EXAMPLES))("%s", async (name, { args, prints }) => {
    const program = name.endsWith(".ts")
      ? ["node_modules/tsx/dist/cli.mjs", join(ROOT, "examples", name)]
      : [`examples/${name}`];
    const { code, out, err } = await runNode(program[0]!, [...program.slice(1), model, ...args, newOutput()]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(prints);
  });
});
