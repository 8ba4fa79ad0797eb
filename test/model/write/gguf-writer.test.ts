import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../../src/checkpoint/checkpoint.ts";
import { generateTokens } from "../../../src/forward/decode/generate.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { type LayerSizes, resized } from "../../../src/model/spec/parts.ts";
import type { Mixture } from "../../../src/model/write/mixtures.ts";
import { nodeBackend } from "../../../src/node/host.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { openTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { copyToGguf } from "../../helpers/copy-to-gguf.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { judge } from "../../helpers/llama-cpp.ts";
import { best, worstProbability } from "../../helpers/probabilities.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";

const DEMO = new URL("../../../models/demo", import.meta.url).pathname;
const TEXT = "\"We'll go to 1812 harbours!\"\n\n  said the captain's wife";

const opened: Model[] = [];
const open = async (checkpoint: Checkpoint | string): Promise<Model> => {
  const model = await openModel(typeof checkpoint === "string" ? await openPath(checkpoint) : checkpoint);
  opened.push(model);
  return model;
};
const newFile = (): string => join(temporaryFolder(), "model.gguf");

afterAll(async () => {
  for (const { checkpoint } of opened) await checkpoint.close();
});

/** llama.cpp must see the ids of our tokenizer and the probabilities of our forward pass over them. */
async function expectJudged(path: string, source: Model, tolerance: number): Promise<Model> {
  const model = await open(path);
  const ids = (await openTokenizer(source.checkpoint)).encode(TEXT);
  expect((await openTokenizer(model.checkpoint)).encode(TEXT)).toEqual(ids);
  const own = await forwardLogits(model, ids);
  const judged = await judge(path, ids, TEXT);
  expect(judged.ids).toEqual(ids);
  expect(worstProbability(own, judged.logits)).toBeLessThan(tolerance);
  return model;
}

describe("the demo model as GGUF is the same model to llama.cpp", () => {
  // llama.cpp keeps keys and values in F16, and multiplies Q8_0 weights with activations that it rounds to Q8_0 too.
  test.each<[Mixture, number]>([
    ["f32", 0.003],
    ["f16", 0.003],
    ["bf16", 0.02],
    ["q8_0", 0.1],
    ["q5_k_m", 0.1],
    ["q4_0", 0.1],
    ["q2_k", 0.1],
    ["iq4_xs", 0.1],
  ])("in %s", async (mixture, tolerance) => {
    const source = await open(DEMO);
    const path = newFile();
    await copyToGguf(source, path, mixture);
    const model = await expectJudged(path, source, tolerance);
    expect(model.checkpoint.metadata.get("general.architecture")).toBe("llama");
    expect(model.spec).toEqual(source.spec);
    if (mixture === "f32")
      for (const name of source.tensors.keys()) expect(await model.read(name)).toEqual(await source.read(name));
  });

  test("with the greedy text of our own forward pass", async () => {
    const source = await open(DEMO);
    const path = newFile();
    await copyToGguf(source, path, "f32");
    const prompt = (await openTokenizer(source.checkpoint)).encode("The old man looked at the");
    const fixed = { temperature: 0, stopTokens: [], random: () => 0, budgetBytes: 2 ** 30 };
    const text = [...prompt];
    const request = { prompt, maxTokens: 24, ...fixed };
    await generateTokens(nodeBackend(1), source, request, (id) => text.push(id));
    const { logits } = await judge(path, text, "");
    expect(logits.slice(prompt.length - 1, -1).map(best)).toEqual(text.slice(prompt.length));
  });
});

/** The demo model with layers of different widths; 0 leaves a part out. */
const cutSpec = (spec: DecoderSpec, sizes: Record<number, Partial<LayerSizes>>): DecoderSpec => ({
  ...spec,
  layers: spec.layers.map((layer, index) => resized(layer, { intermediateSize: 512 - 48 * index, ...sizes[index] })),
});
const NO_ATTENTION = { numAttentionHeads: 0, numKeyValueHeads: 0 };
const NO_MLP = { intermediateSize: 0 };

describe("layers of different widths become architecture deci", () => {
  test.each<Mixture>(["f32", "q8_0"])("in %s, with half the heads in one, no attention in another", async (mixture) => {
    const source = await open(DEMO);
    const spec = cutSpec(source.spec, { 2: { numAttentionHeads: 2, numKeyValueHeads: 1 }, 5: NO_ATTENTION });
    const path = newFile();
    await copyToGguf(source, path, mixture, spec);
    const model = await expectJudged(path, source, mixture === "f32" ? 0.003 : 0.1);
    expect(model.checkpoint.metadata.get("general.architecture")).toBe("deci");
    expect(model.spec).toEqual(spec);
    expect(model.tensors.has("model.layers.5.self_attn.q_proj.weight")).toBe(false);
  });

  test.each<[string, Record<number, Partial<LayerSizes>>]>([
    ["a layer without MLP", { 4: NO_MLP }],
    ["a last layer without MLP", { 7: NO_MLP }],
    ["a last layer without attention", { 7: NO_ATTENTION }],
    ["a first layer without attention", { 0: NO_ATTENTION }],
    ["both absences in several layers", { 0: NO_ATTENTION, 1: NO_MLP, 3: NO_ATTENTION, 6: NO_MLP }],
  ])("with %s", async (_, sizes) => {
    const source = await open(DEMO);
    const spec = cutSpec(source.spec, sizes);
    const path = newFile();
    await copyToGguf(source, path, "f32", spec);
    // llama.cpp computes the zeros that stand where it cannot do without a part, our reader leaves them out
    const model = await expectJudged(path, source, 0.003);
    expect(model.spec).toEqual(spec);
  });
});

describe("a GGUF source", () => {
  test("is carried over key by key, with the changed ones replaced", async () => {
    const source = await open(DEMO);
    const first = newFile();
    await copyToGguf(source, first, "f16");
    const middle = await open(first);
    const second = newFile();
    await copyToGguf(middle, second, "f32", cutSpec(middle.spec, {}));
    const { metadata } = (await open(second)).checkpoint;
    const expected = new Map(
      [...middle.checkpoint.metadata].map(([key, value]) => [key.replace(/^llama\./, "deci."), value]),
    );
    const widths = middle.spec.layers.map((_, index) => 512 - 48 * index);
    expected.set("general.architecture", "deci").set("general.file_type", 0).set("general.size_label", "1.7M");
    expected.set("deci.feed_forward_length", widths);
    expected.set(
      "deci.attention.head_count",
      widths.map(() => 4),
    );
    expected.set(
      "deci.attention.head_count_kv",
      widths.map(() => 2),
    );
    expect(metadata).toEqual(expected);
    await expectJudged(second, source, 0.003);
  });
});
