// Whole experts removed from whole models, in both formats.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../src/checkpoint/checkpoint.ts";
import { withPaths } from "../../src/node/open-path.ts";
import { DEMO_MIXTURE } from "../helpers/built.ts";
import { compError } from "../helpers/errors.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { TINY_WINDOWS, tinyWithTokenizer } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { newOutput, readConfig, withModel } from "../helpers/written.ts";

const LAYERS = [0, 1, 2, 3, 4, 5];
const FEW = { samples: 8, context: 64, sparsity: 0 } as const;

interface Record {
  readonly layers: readonly { readonly experts: number[]; readonly kept: number[] }[];
}

const recordOf = (folder: string): Record => JSON.parse(readFileSync(join(folder, "pruning.json"), "utf8")) as Record;

/** Bytes of an expert in a tensor of a GGUF file that has so many of them. */
async function partBytes({ tensors, readRowBytes }: Checkpoint, name: string, part: number, parts: number) {
  const rows =
    tensors
      .get(name)!
      .shape.slice(0, -1)
      .reduce((product, size) => product * size) / parts;
  return Buffer.from(await readRowBytes(name, part * rows, (part + 1) * rows)).toString("base64");
}

describe("four of sixteen experts, by a published criterion, in a folder", () => {
  const output = join(sharedFolder(), "reap");
  beforeAll(async () => {
    await pruneDemo({ model: DEMO_MIXTURE, output, preset: "reap", experts: 4, ...FEW });
  });

  test("the count stands under the key of the source", () => {
    const config = readConfig(output);
    expect(config).toMatchObject({ num_local_experts: 12, num_experts_per_tok: 4, moe_intermediate_size: 96 });
    expect(config).not.toHaveProperty("num_experts");
    expect(config).not.toHaveProperty("auto_map");
  });

  test("what stays is what it was: experts, and their rows of the router", () =>
    withModel(DEMO_MIXTURE, (dense) =>
      withModel(output, async (pruned) => {
        for (const layer of LAYERS) {
          const { experts, kept } = recordOf(output).layers[layer]!;
          expect(experts).toHaveLength(12);
          expect(kept).toHaveLength(12 * 96);
          const [router, before] = [pruned, dense].map((model) => model.read(`model.layers.${layer}.mlp.gate.weight`));
          const rows = await before!;
          expect(await router!).toEqual(
            Float32Array.from(experts.flatMap((expert) => [...rows.subarray(128 * expert, 128 * (expert + 1))])),
          );
        }
      }),
    ));
});

describe("of a quantized GGUF file", () => {
  const [source, output] = [join(sharedFolder(), "mixture-q8_0.gguf"), join(sharedFolder(), "fewer.gguf")];
  beforeAll(async () => {
    await eventsOf({ model: DEMO_MIXTURE, sparsity: 0, dtype: "q8_0", output: source });
    await pruneDemo({ model: source, output, experts: 0.25, ...FEW });
  });

  test("kept experts are the bytes that they were, though everything around them is refitted", () =>
    withPaths(async (open) => {
      const [before, after] = [await open(source), await open(output)];
      expect(after.metadata.get("qwen3moe.expert_count")).toBe(12);
      for (const layer of LAYERS)
        for (const part of ["ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"]) {
          const name = `blk.${layer}.${part}.weight`;
          const all = await Promise.all(Array.from({ length: 16 }, (_, i) => partBytes(before, name, i, 16)));
          const kept = await Promise.all(Array.from({ length: 12 }, (_, i) => partBytes(after, name, i, 12)));
          expect(after.tensors.get(name)!.dtype).toBe("Q8_0");
          expect(all.filter((bytes) => kept.includes(bytes))).toEqual(kept);
        }
    }));
});

test("with neurons on top of it, a fraction counts both", async () => {
  const output = newOutput();
  const given = {
    model: DEMO_MIXTURE,
    output,
    preset: "osscar",
    ...FEW,
    sparsity: 0.3,
    multipleOf: 8,
    experts: 4,
  } as const;
  const { sparsity, numExperts, intermediateSize } = await pruneDemo(given);
  expect(numExperts).toEqual({ before: 16, after: 12 });
  expect(intermediateSize.after).toBeLessThan(96);
  expect(sparsity.all).toBeGreaterThanOrEqual(0.3);
  expect(sparsity.all).toBeLessThan(0.36);
});

test("trials share a fraction between experts, heads and neurons, and one that none beats by more than noise is taken", async () => {
  const model = tinyWithTokenizer(temporaryFolder(), "qwen3-moe");
  const given = {
    model,
    output: newOutput(),
    preset: "osscar",
    experts: "auto",
    sparsity: 0.2,
    ...TINY_WINDOWS,
  } as const;
  const result = await pruneDemo({ ...given, multipleOf: 1 });
  const { splits, numExperts, numAttentionHeads, intermediateSize, sparsity } = result;
  for (const { reached } of splits!) expect(reached).toBeGreaterThanOrEqual(0.2);
  const sizes = [numExperts!.after, numAttentionHeads.after, intermediateSize.after];
  const taken = splits!.find((split) =>
    sizes.every((size, i) => size === [split.experts, split.heads, split.intermediateSize][i]),
  )!;
  for (const { klDivergence } of splits!) expect(klDivergence).toBeGreaterThan(0.98 * taken.klDivergence);
  expect(sparsity.all).toBe(taken.reached);
});

describe("refused before any work", () => {
  const refusal = (request: object) => compError(eventsOf({ model: DEMO_MIXTURE, output: newOutput(), ...request }));

  test.each<[object, string]>([
    [{ experts: 13 }, "--experts 13 leaves 3 of 16 experts; each token goes to 4"],
    [{ experts: "90%" }, "--experts 0.9 leaves 2 of 16 experts; each token goes to 4"],
    [{ preset: "reap", sparsity: 0.9 }, "a sparsity of 0.9 cannot be reached by removing experts alone"],
  ])("%j", async (request, message) => expect((await refusal(request)).message).toContain(message));

  test("trials over heads that code of the model's own need not load", async () => {
    const model = tinyWithTokenizer(temporaryFolder(), "qwen2-moe");
    const config = { ...readConfig(model), auto_map: { AutoModelForCausalLM: "modeling_own.Own" } };
    writeFileSync(join(model, "config.json"), JSON.stringify(config));
    writeFileSync(join(model, "modeling_own.py"), "");
    const given = { model, experts: "auto", sparsity: 0.2, ...TINY_WINDOWS } as const;
    expect((await refusal({ ...given, prune: "all" })).message).toContain("which need not load fewer heads");
    await eventsOf({ ...given, output: newOutput(), dryRun: true });
  });

  test("a model without experts", async () => {
    const model = tinyWithTokenizer(temporaryFolder(), "llama");
    const { message } = await refusal({ model, experts: 1, ...TINY_WINDOWS });
    expect(message).toBe("a llama has no mixtures of experts to remove any from");
  });

  test("experts that are chosen by group", async () => {
    const model = tinyWithTokenizer(temporaryFolder(), "glm4-moe");
    const { message } = await refusal({ model, experts: 1, ...TINY_WINDOWS });
    expect(message).toBe("a glm4_moe chooses its experts by group, none of them can be removed");
  });
});
