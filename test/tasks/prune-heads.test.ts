// Heads removed from whole models, through the library.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PruneResult } from "../../src/events/prune.ts";
import { type Model, openModel } from "../../src/model/model.ts";
import { openPath } from "../../src/node/open-path.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { TINY_FAMILIES, tinyPath } from "../helpers/fixtures.ts";
import { prose, pruneDemo } from "../helpers/prune-demo.ts";
import { temporaryFolder } from "../helpers/temporary.ts";

/** Two of the eight layers stay: enough to show all, in little time. */
const TWO_LAYERS = { layers: [1, 2, 3, 4, 5, 6], sparsity: 0.76 };

const newOutput = (): string => join(temporaryFolder(), "out");

async function withModel<T>(path: string, use: (model: Model) => Promise<T>): Promise<T> {
  const checkpoint = await openPath(path);
  try {
    return await use(await openModel(checkpoint));
  } finally {
    await checkpoint.close();
  }
}

const readConfig = (path: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(path, "config.json"), "utf8")) as Record<string, unknown>;

/** A tiny checkpoint with a tokenizer of one token a character, which its vocabulary of 96 has room for. */
function tinyWithTokenizer(family: string): string {
  const model = join(temporaryFolder(), family);
  cpSync(tinyPath(family), model, { recursive: true });
  const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  const vocab = Object.fromEntries(characters.map((text, id) => [text, id]));
  const tokenizer = { version: "1.0", added_tokens: [], model: { type: "BPE", vocab, merges: [] } };
  writeFileSync(join(model, "tokenizer.json"), JSON.stringify(tokenizer));
  return model;
}

describe("a head of each group", () => {
  test("goes from the demo model: a plain configuration, and the kept rows of the source in their order", async () => {
    const output = newOutput();
    const result = await pruneDemo({ output, ...TWO_LAYERS, heads: 1 });
    expect(result).toMatchObject({
      numAttentionHeads: { before: 4, after: 2 },
      numKeyValueHeads: { before: 2, after: 2 },
    });
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.76);
    const config = readConfig(output);
    expect(config).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 2, head_dim: 32 });
    expect(config).not.toHaveProperty("auto_map");
    const rows = (path: string, layer: number) =>
      withModel(path, (model) => model.read(`model.layers.${layer}.self_attn.q_proj.weight`));
    for (const [position, { index, heads, keyValueHeads }] of result.layers.entries()) {
      expect(heads.map((head) => Math.floor(head / 2))).toEqual([0, 1]);
      expect(keyValueHeads).toEqual([0, 1]);
      const source = await rows(DEMO_MODEL, index);
      const expected = heads.flatMap((head) => [...source.subarray(head * 32 * 128, (head + 1) * 32 * 128)]);
      expect([...(await rows(output, position))]).toEqual(expected);
    }
    const card = readFileSync(join(output, "README.md"), "utf8");
    expect(card).toContain("heads 4 → 2, for keys and values 2 → 2");
    expect(JSON.parse(readFileSync(join(output, "pruning.json"), "utf8")).layers[0].heads).toEqual(
      result.layers[0]!.heads,
    );
  });

  test.each(["obs", "loss", "condition"] as const)(
    "chosen by %s and refitted is nearer than by lot and left alone",
    async (criterion) => {
      const divergence = async (request: object): Promise<number> =>
        (await pruneDemo({ output: newOutput(), sparsity: 0.06, heads: 1, ...request })).quality.klDivergence;
      expect(await divergence({ criterion })).toBeLessThan(await divergence({ criterion: "random", recovery: "none" }));
    },
  );

  test.each(TINY_FAMILIES)("goes from %s, which is written and read back", async (family) => {
    const model = tinyWithTokenizer(family);
    const output = newOutput();
    const calibration = [{ name: "ascii.txt", text: prose.text.replace(/[^ -~]/g, "") }];
    const windows = { calibration, samples: 8, context: 24, multipleOf: 8 };
    await pruneDemo({ model, output, sparsity: 0.1, layers: 0, heads: 1, ...windows });
    const before = await withModel(model, async ({ spec }) => spec);
    await withModel(output, async ({ spec }) => {
      const { intermediateSize } = spec.layers[0]!;
      const layers = before.layers.map((layer) => ({ ...layer, intermediateSize, numAttentionHeads: 2 }));
      expect(spec).toEqual({ ...before, layers });
    });
  });
});

test("whole key-value groups go with their heads", async () => {
  const output = newOutput();
  const { layers, numKeyValueHeads } = await pruneDemo({ output, ...TWO_LAYERS, kvGroups: 1 });
  expect(numKeyValueHeads).toEqual({ before: 2, after: 1 });
  expect(readConfig(output)).toMatchObject({ num_attention_heads: 2, num_key_value_heads: 1, head_dim: 32 });
  for (const { heads, keyValueHeads } of layers)
    expect(heads).toEqual([2 * keyValueHeads[0]!, 2 * keyValueHeads[0]! + 1]);
});

test.each(["osscar", "wanda-sp", "flap", "llm-pruner", "comp-paper", "magnitude", "random"] as const)(
  "%s cuts heads as its authors do, and neurons for the rest",
  async (preset) => {
    const output = newOutput();
    const over = { layers: [1, 2, 3, 4, 5, 6], spare: [0, 0], multipleOf: 1, samples: 4 };
    const { layers, sparsity } = await pruneDemo({ output, preset, sparsity: 0.76, ...over });
    expect(layers.map(({ keptHeads }) => keptHeads)).toEqual([2, 2]); // one of two in each group
    expect(layers.every(({ keptNeurons, totalNeurons }) => keptNeurons < totalNeurons)).toBe(true);
    expect(sparsity.all).toBeGreaterThanOrEqual(0.76);
    await withModel(output, async ({ spec }) => expect(spec.layers[1]!.numAttentionHeads).toBe(2));
  },
);

describe("where the loss decides what each layer gives", () => {
  const sizesOf = ({ layers }: PruneResult) => layers.map(({ keptNeurons, keptHeads }) => [keptNeurons, keptHeads]);
  const request = { sparsity: 0.5, layers: 0, widths: "per-layer", multipleOf: 1 } as const;

  test("heads go too, unless only neurons may, and less is lost for it", async () => {
    const output = newOutput();
    const all = await pruneDemo({ output, ...request, prune: "all" });
    const neurons = await pruneDemo({ output: newOutput(), ...request, prune: "mlp" });
    expect(sizesOf(neurons).every(([, heads]) => heads === 4)).toBe(true);
    expect(sizesOf(all).some(([, heads]) => heads! < 4)).toBe(true);
    expect(all.sparsity.all).toBeGreaterThanOrEqual(0.5);
    expect(all.sparsity.all).toBeLessThan(0.51);
    expect(all.quality.klDivergence).toBeLessThan(neurons.quality.klDivergence);
    await withModel(output, async ({ spec }) =>
      expect(spec.layers.map((layer) => [layer.intermediateSize, layer.numAttentionHeads])).toEqual(sizesOf(all)),
    );
    expect(readConfig(output)).toMatchObject({ attention_heads: sizesOf(all).map(([, heads]) => heads), head_dim: 32 });
  });

  test("heads given by number are the same in all layers, and neurons make up the rest", async () => {
    const result = await pruneDemo({ output: newOutput(), ...request, sparsity: 0.3, heads: 1 });
    expect(sizesOf(result).every(([, heads]) => heads === 2)).toBe(true);
    expect(new Set(sizesOf(result).map(([neurons]) => neurons)).size).toBeGreaterThan(1);
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.3);
  });
});
