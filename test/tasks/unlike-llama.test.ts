// Every method on the families that are least like Llama: MLPs without a gate, biases everywhere, other activations, norms with a
// mean, positions that are learned, sublayers side by side. It prunes them, or refuses before the work and says why.
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { PruneRequest } from "../../src/node/prune.ts";
import { type RecoveryName, recoveries } from "../../src/recover/index.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder } from "../helpers/temporary.ts";
import { newOutput, withModel } from "../helpers/written.ts";

const FAMILIES = ["gpt2", "opt", "gpt-neox", "stablelm", "stablelm-parallel", "starcoder2", "nemotron", "arcee"];

const folder = sharedFolder();
const models = new Map(FAMILIES.map((family) => [family, tinyWithTokenizer(folder, family)]));

const quarter = { ...TINY_WINDOWS, sparsity: 0.25, sparsityOf: "decoder" } as const;

/** Prunes a family, and opens what has been written. */
async function prunes(family: string, request: Partial<PruneRequest>): Promise<void> {
  const output = newOutput();
  const { sparsity, quality, layers } = await pruneDemo({ ...quarter, model: models.get(family)!, output, ...request });
  expect(sparsity.decoder).toBeGreaterThanOrEqual((request.sparsity ?? quarter.sparsity) - 1e-9);
  expect(quality.klDivergence).toBeGreaterThan(0);
  await withModel(output, async ({ spec }) =>
    expect(spec.layers.map(({ channel }) => channel?.intermediateSize ?? 0)).toEqual(
      layers.map(({ keptNeurons }) => keptNeurons),
    ),
  );
}

describe.each(FAMILIES)("%s is pruned by the preset", (family) => {
  test("llm-pruner, by the gradients of its weights", () => prunes(family, { preset: "llm-pruner", spare: [0, 0] }));

  test("comp-paper, one of whose layers goes as a whole", () =>
    prunes(family, { preset: "comp-paper", layers: 1, sparsity: 0.4 }));
});

/** The other criteria, each with a recovery and a family, in turn. */
const PAIRS = (["loss", "obs", "wanda", "fluctuation", "magnitude", "random"] as const).map((criterion, i) => {
  const names = Object.keys(recoveries) as RecoveryName[];
  return [criterion, names.at(-1 - (i % names.length))!, FAMILIES[i]!] as const;
});

test.each(PAIRS)("criterion %s and recovery %s go with %s", (criterion, recovery, family) =>
  prunes(family, { criterion, recovery, layers: 0 }),
);

describe("is refused before the work:", () => {
  const refused = async (family: string, request: object, message: string): Promise<void> => {
    const output = newOutput();
    const run = eventsOf({ ...quarter, model: models.get(family)!, output, ...request });
    await expect(run).rejects.toThrow(message);
    expect(existsSync(output)).toBe(false);
  };

  test("llm-pruner, which spares the first four and the last two layers, where there are but three", () =>
    refused("opt", { preset: "llm-pruner" }, "a sparsity of 0.25 cannot be reached by removing neurons alone"));

  test.each(["gpt2", "opt", "gpt-neox", "stablelm"])("heads of a %s, which stay", (family) =>
    refused(family, { preset: "comp-paper", prune: "all" }, "heads of a"),
  );
});
