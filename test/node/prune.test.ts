// Pruning into one GGUF file, with llama.cpp as the judge of it.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { PruneResult } from "../../src/events/prune.ts";
import { generateTokens } from "../../src/forward/decode/generate.ts";
import { resized, sizesOf } from "../../src/model/spec/parts.ts";
import { nodeBackend } from "../../src/node/host.ts";
import type { PruneRequest } from "../../src/node/prune.ts";
import { openTokenizer } from "../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../helpers/built.ts";
import { copyToGguf } from "../helpers/copy-to-gguf.ts";
import { compError } from "../helpers/errors.ts";
import { tinyPath } from "../helpers/fixtures.ts";
import { forwardLogits } from "../helpers/forward-logits.ts";
import { judge } from "../helpers/llama-cpp.ts";
import { best, worstProbability } from "../helpers/probabilities.ts";
import { eventsOf, pruneDemo } from "../helpers/prune-demo.ts";
import { shortDemo } from "../helpers/small-models.ts";
import { sharedFolder, temporaryFolder } from "../helpers/temporary.ts";
import { newOutput, withModel } from "../helpers/written.ts";

const EQUAL = { layers: 0, widths: "equal" } as const;
const QUICK = { preset: "wanda-sp", prune: "mlp" } as const;
const PER_LAYER = { criterion: "loss", widths: "per-layer" } as const;
const PROMPT = "The old man looked at the";

/** Prompt and greedy continuation as token ids, and our logits after each of them. */
async function greedy(path: string): Promise<{ prompt: number[]; ids: number[]; logits: Float32Array[] }> {
  return withModel(path, async (model) => {
    const prompt = (await openTokenizer(model.checkpoint)).encode(PROMPT);
    const fixed = { temperature: 0, stopTokens: [], random: () => 0, budgetBytes: 2 ** 30 };
    const ids = [...prompt];
    await generateTokens(nodeBackend(1), model, { prompt, maxTokens: 16, ...fixed }, (id) => ids.push(id));
    return { prompt, ids, logits: await forwardLogits(model, ids) };
  });
}

/**
 * llama.cpp must read the prompt and weigh every token as our forward pass of `folder` does, and continue the prompt with the
 * same tokens, `misses` at most of them others.
 */
async function expectSame(file: string, folder: string, tolerance: number, misses = 0): Promise<void> {
  const { prompt, ids, logits } = await greedy(folder);
  const judged = await judge(file, ids, PROMPT);
  expect(judged.ids).toEqual(prompt);
  expect(worstProbability(logits, judged.logits)).toBeLessThan(tolerance);
  const continued = judged.logits.slice(prompt.length - 1, -1).map(best);
  expect(continued.filter((id, i) => id !== ids[prompt.length + i]).length).toBeLessThanOrEqual(misses);
}

const shared = sharedFolder();
const short = shortDemo(shared, 4);

/** A file and a folder of the same run, which need only be told apart by their names. */
async function bothOf(
  request: Partial<PruneRequest>,
): Promise<{ file: string; asFolder: string; result: PruneResult }> {
  const folder = temporaryFolder();
  const [file, asFolder] = [join(folder, "x.gguf"), join(folder, "folder")];
  const result = await pruneDemo({ model: short, ...request, output: file });
  await pruneDemo({ model: short, ...request, output: asFolder });
  expect(readdirSync(folder).sort()).toEqual(["folder", "x.gguf"]);
  return { file, asFolder, result };
}

describe("an output named .gguf", () => {
  describe("is one file, and to llama.cpp the model of the folder", () => {
    const asFolder = join(shared, "folder");
    const cut = { ...QUICK, model: short, sparsity: 0.2 } as const;
    beforeAll(() => pruneDemo({ ...cut, output: asFolder }));

    // llama.cpp keeps keys and values in F16, and multiplies Q8_0 weights with activations that it rounds to Q8_0 too: of two
    // tokens that are nearly as likely it may then prefer the other.
    test.each<["auto" | "q8_0", string, number, number]>([
      ["auto", "F16", 0.003, 0],
      ["q8_0", "Q8_0", 0.03, 2],
    ])("of dtype %s", async (dtype, stored, tolerance, misses) => {
      const file = newOutput("x.gguf");
      const result = await pruneDemo({ ...cut, output: file, dtype });
      expect(readdirSync(dirname(file))).toEqual(["x.gguf"]);
      expect(result).toMatchObject({ output: file, files: ["x.gguf"] });
      await withModel(file, async ({ tensors, checkpoint }) => {
        const sizes = [...tensors.values()].map(({ byteLength }) => byteLength);
        expect(sizes.reduce((a, b) => a + b)).toBe(result.bytes.after);
        expect(tensors.get("model.layers.2.mlp.down_proj.weight")!.dtype).toBe(stored);
        expect(tensors.get("model.norm.weight")!.dtype).toBe("F32");
        expect(checkpoint.metadata.get("general.architecture")).toBe("llama");
      });
      await expectSame(file, asFolder, tolerance, misses);
    });
  });

  test("has layers of different widths and heads as architecture deci", async () => {
    const cut = { sparsity: 0.5, layers: 0, prune: "all", ...PER_LAYER } as const;
    const { file, asFolder, result } = await bothOf(cut);
    const [widths, heads] = [
      result.layers.map((layer) => layer.keptNeurons),
      result.layers.map((layer) => layer.keptHeads),
    ];
    for (const sizes of [widths, heads]) expect(new Set(sizes).size).toBeGreaterThan(1);
    await withModel(file, async ({ spec, checkpoint: { metadata } }) => {
      expect(metadata.get("general.architecture")).toBe("deci");
      expect(metadata.get("deci.attention.head_count")).toEqual(heads);
      expect(spec.layers.map((layer) => sizesOf(layer).intermediateSize)).toEqual(widths);
    });
    await expectSame(file, asFolder, 0.003);
  });

  test.each([{ heads: 1 }, { kvGroups: 1 }])(
    "with fewer heads (%o) is to llama.cpp the model of the folder",
    async (cut) => {
      const { file, asFolder } = await bothOf({ preset: "osscar", sparsity: 0.2, ...EQUAL, ...cut });
      await withModel(file, async ({ checkpoint: { metadata } }) => {
        expect(metadata.get("llama.attention.head_count")).toBe(2);
        expect(metadata.get("llama.attention.key_length")).toBe(32);
      });
      await expectSame(file, asFolder, 0.003);
    },
  );

  test("tells what it was made from and how, and under which licence", async () => {
    const output = newOutput("x.gguf");
    const { fingerprint } = await pruneDemo({ ...QUICK, output, sparsity: 0.2, layers: [3] });
    await withModel(output, async ({ checkpoint: { metadata } }) => {
      expect(metadata.get("comp.source.name")).toBe("demo");
      expect(metadata.get("comp.source.fingerprint")).toBe(fingerprint);
      expect(metadata.get("comp.source.layers")).toEqual([0, 1, 2, 4, 5, 6, 7]);
      expect(JSON.parse(metadata.get("comp.options") as string)).toMatchObject({ sparsity: 0.2, criterion: "wanda" });
      expect(JSON.parse(metadata.get("comp.calibration") as string)).toMatchObject({ names: ["prose.txt"] });
      const licence = /^license: (.*)$/m.exec(readFileSync(join(DEMO_MODEL, "README.md"), "utf8"))![1];
      expect(metadata.get("general.license")).toBe(licence);
    });
  });

  test("keeps rows in F16 that do not fill the blocks of Q8_0", async () => {
    const output = newOutput("x.gguf");
    await pruneDemo({ ...QUICK, model: short, output, sparsity: 0.2, multipleOf: 1, dtype: "q8_0" });
    await withModel(output, async ({ spec, tensors }) => {
      expect(sizesOf(spec.layers[0]!).intermediateSize % 32).not.toBe(0);
      expect(tensors.get("model.layers.0.mlp.up_proj.weight")!.dtype).toBe("Q8_0");
      expect(tensors.get("model.layers.0.mlp.down_proj.weight")!.dtype).toBe("F16");
    });
  });
});

describe("a pruned GGUF can be pruned again", () => {
  test("into a GGUF with all its metadata, and into a folder", async () => {
    const model = newOutput("1.gguf");
    await pruneDemo({ model: short, output: model, sparsity: 0.2, ...PER_LAYER });
    const { file, asFolder } = await bothOf({ ...QUICK, model, sparsity: 0.1 });
    const keys = (path: string): Promise<string[]> =>
      withModel(path, async ({ checkpoint }) => [...checkpoint.metadata.keys()].sort());
    const general = (all: string[]): string[] => all.filter((key) => !/^(llama|deci)\./.test(key));
    expect(general(await keys(file))).toEqual(general(await keys(model)));
    await expectSame(file, asFolder, 0.003);
  });

  test.each([{}, PER_LAYER])("where layers lack attention or MLP, with %j", async (options) => {
    const folder = temporaryFolder();
    const [lacking, output] = [join(folder, "lacking.gguf"), join(folder, "x.gguf")];
    const none = { numAttentionHeads: 0, numKeyValueHeads: 0 };
    await withModel(shortDemo(folder, 4), async (model) => {
      const lost: Record<number, object> = { 0: none, 2: { intermediateSize: 0 } };
      const layers = model.spec.layers.map((layer, i) => resized(layer, { intermediateSize: 256, ...lost[i] }));
      await copyToGguf(model, lacking, "f16", { ...model.spec, layers });
    });
    const result = await pruneDemo({ model: lacking, output, sparsity: 0.1, ...options });
    expect(result.sparsity.all).toBeGreaterThanOrEqual(0.09);
    const { ids, logits } = await greedy(output);
    expect(worstProbability(logits, (await judge(output, ids, "")).logits)).toBeLessThan(0.003);
  });
});

describe("refused before any work, with nothing written, is", () => {
  const refusal = async (request: Partial<PruneRequest>, name = "x.gguf") => {
    const folder = temporaryFolder();
    const error = await compError(eventsOf({ output: join(folder, name), sparsity: 0.2, ...request }));
    expect(readdirSync(folder)).toEqual([]);
    return error;
  };

  test("q8_0 for a folder", async () => {
    const { kind, message, hint } = await refusal({ dtype: "q8_0" }, "folder");
    expect([kind, message]).toEqual(["option", "--dtype q8_0 is for GGUF files, the output is a folder"]);
    expect(hint).toBe("name the output NAME.gguf, or choose f32, f16 or bf16");
  });

  test("widths per layer for a Gemma 3", async () => {
    const { kind, message, hint } = await refusal({ model: tinyPath("gemma3"), ...PER_LAYER });
    expect([kind, message]).toEqual([
      "architecture",
      "GGUF has no form for a gemma3_text whose layers differ in width",
    ]);
    expect(hint).toBe("write a folder, or the same width in all layers: --widths equal");
  });

  test("an activation that llama.cpp does not have there", async () => {
    const { message } = await refusal({ model: tinyPath("llama-gelu"), multipleOf: 1 });
    expect(message).toBe("llama.cpp's llama does not know the activation gelu");
  });

  test("a model without tokenizer", async () => {
    expect((await refusal({ model: tinyPath("llama"), multipleOf: 1 })).kind).toBe("checkpoint");
  });
});

describe("a file that is there already", () => {
  test("is refused, and replaced with overwrite; stopped runs leave it as it is", async () => {
    const output = newOutput("x.gguf");
    writeFileSync(output, "dear");
    expect((await compError(eventsOf({ output, sparsity: 0.2 }))).message).toBe(`${output} exists already`);
    const controller = new AbortController();
    const stopped = eventsOf({ output, overwrite: true, sparsity: 0.2, signal: controller.signal });
    controller.abort();
    expect((await compError(stopped)).kind).toBe("aborted");
    expect(readFileSync(output, "utf8")).toBe("dear");
    await pruneDemo({ ...QUICK, model: short, output, overwrite: true, sparsity: 0.2 });
    expect(readFileSync(output).subarray(0, 4).toString()).toBe("GGUF");
  });

  test("is no folder: that is never replaced by a file", async () => {
    const output = newOutput("x.gguf");
    mkdirSync(output);
    const error = await compError(eventsOf({ ...QUICK, model: short, output, overwrite: true, sparsity: 0.2 }));
    expect(error.message).toBe(`${output} exists and is not a file`);
  });
});
