// Each family as a GGUF file: as llama.cpp's own converter writes it, read back as the same model, and computed by llama.cpp.
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Checkpoint } from "../../../src/checkpoint/checkpoint.ts";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { layerIndices } from "../../../src/model/spec/layer-index.ts";
import { type LayerSizes, mixtureOf, resized, withExperts } from "../../../src/model/spec/parts.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { copyToGguf } from "../../helpers/copy-to-gguf.ts";
import { expectedLogits, readJsonFixture, tinyPath } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { judge } from "../../helpers/llama-cpp.ts";
import { worstProbability } from "../../helpers/probabilities.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";
import { withTinyTokenizer } from "../../helpers/tiny-tokenizer.ts";

/** Header and tensors of a converted file; layers are "blk.N". */
interface Converted {
  /** Fields of config.json that are not the checkpoint's, where llama.cpp takes something else for granted. */
  readonly changes: Readonly<Record<string, unknown>>;
  readonly architecture: string;
  readonly header: Readonly<Record<string, unknown>>;
  readonly tensors: readonly string[];
}

/** What llama.cpp's own converter makes of the tiny checkpoints. */
const CONVERTED = readJsonFixture<Record<string, Converted>>("gguf-headers.json");

/**
 * Keys in which we differ: such as llama.cpp does not read for the architecture, or takes for granted, the base of layers without
 * a window where there are none, the groups of experts where there is one, the MLP's width of a GPT-2, which the converter
 * believes to be four times the model's, and of a Qwen 3 MoE that has no MLP.
 */
const OTHERWISE = new RegExp(
  `^(${[
    "nemotron\\.(attention\\.layer_norm_rms_epsilon|rope\\.scaling\\.type)",
    "phi3\\.rope\\.scaling\\.original_context_length",
    "gemma3\\.rope\\.freq_base",
    "(gpt2|qwen3moe)\\.feed_forward_length",
    "glm4moe\\.(expert_group_count|expert_group_used_count|nextn_predict_layers)",
  ].join("|")})$`,
);

const opened: Model[] = [];
afterAll(async () => {
  for (const { checkpoint } of opened) await checkpoint.close();
});

async function open(path: string, config: object = {}): Promise<Model> {
  const model = await openModel(withTinyTokenizer(await openPath(path), config));
  opened.push(model);
  return model;
}

async function converted(source: Model, spec: DecoderSpec = source.spec): Promise<{ path: string; model: Model }> {
  const path = join(temporaryFolder(), "model.gguf");
  await copyToGguf(source, path, "f32", spec);
  return { path, model: await open(path) };
}

/** The model's rotary bases and factors as far as f32 keeps them. */
const rounded = (spec: DecoderSpec): unknown =>
  JSON.parse(JSON.stringify(spec), (_, value) => (typeof value === "number" ? Math.fround(value) : value));

describe("a GGUF file is as llama.cpp's converter has it, read back as the same model, and computed by llama.cpp", () => {
  test.each(Object.entries(CONVERTED))("%s", async (name, expected) => {
    const source = await open(tinyPath(name), expected.changes);
    const { path, model } = await converted(source);
    expectForm(model.checkpoint, expected);
    await expectSame(model, source);
    const { ids } = expectedLogits(name);
    const { logits } = await judge(path, ids[0]!, "a");
    if (Object.keys(expected.changes).length === 0) expectLogits(logits, name);
    expect(worstProbability(await forwardLogits(model, ids[0]!), logits)).toBeLessThan(3e-3);
  });
});

/** Every key of the converter's with its value, and exactly its tensors. */
function expectForm({ metadata, tensors }: Checkpoint, expected: Converted): void {
  expect(metadata.get("general.architecture")).toBe(expected.architecture);
  for (const [key, value] of Object.entries(expected.header))
    if (!OTHERWISE.test(key)) expect([key, metadata.get(key)]).toEqual([key, value]);
  const names = [...tensors.keys()].map((tensor) => tensor.replace(/^blk\.\d+\./, "blk.N."));
  expect([...new Set(names)].sort()).toEqual([...expected.tensors].sort());
}

/** The same description, also from a folder that is made of the file, and the same tensors. */
async function expectSame({ spec, config, read }: Model, source: Model): Promise<void> {
  expect(rounded(spec)).toEqual(rounded(source.spec));
  const folder = prunedConfig(config, spec, { keptLayers: layerIndices(spec), layers: spec.layers });
  expect(rounded(parseConfig(folder))).toEqual(rounded(spec));
  for (const tensor of source.tensors.keys()) {
    const [before, after] = [await source.read(tensor), await read(tensor)];
    expect(after).toHaveLength(before.length);
    // norms with an offset are stored with it, which costs their last bits
    expect([tensor, before.findIndex((value, i) => Math.abs(value - after[i]!) > 1e-6)]).toEqual([tensor, -1]);
  }
}

/** The logits of transformers, up to half a percent of the largest. */
function expectLogits(judged: readonly Float32Array[], name: string): void {
  const { logits, shape } = expectedLogits(name);
  const expected = logits.slice(0, judged.length * shape.at(-1)!);
  const own = judged.flatMap((row) => [...row]);
  const worst = Math.max(...expected.map((logit, i) => Math.abs(logit - own[i]!)));
  expect(worst / Math.max(...expected.map(Math.abs))).toBeLessThan(5e-3);
}

const cut = (spec: DecoderSpec, ...sizes: Partial<LayerSizes>[]): DecoderSpec => ({
  ...spec,
  layers: spec.layers.slice(0, sizes.length).map((layer, index) => resized(layer, sizes[index]!)),
});

/** llama.cpp must give the probabilities of our own forward pass over the same file. */
async function expectComputed({ path, model }: { path: string; model: Model }): Promise<void> {
  const ids = Array.from({ length: 24 }, (_, i) => (7 * i) % model.spec.vocabSize);
  const { logits } = await judge(path, ids, "a");
  expect(worstProbability(await forwardLogits(model, ids), logits)).toBeLessThan(3e-3);
}

const ORDER = ["full_attention", "sliding_attention", "full_attention"];

describe("llama.cpp computes what we compute of", () => {
  test.each(["phi3-longrope", "seed-oss", "ernie4.5", "qwen2"])(
    "a %s whose layers differ in width, as deci",
    async (name) => {
      const source = await open(tinyPath(name));
      const file = await converted(source, cut(source.spec, { intermediateSize: 20 }, {}, { intermediateSize: 12 }));
      expect(file.model.checkpoint.metadata.get("general.architecture")).toBe("deci");
      await expectComputed(file);
    },
  );

  test("an Ernie 4.5 without biases, in an architecture of its own", async () => {
    const { checkpoint } = await open(tinyPath("ernie4.5"));
    const tensors = new Map([...checkpoint.tensors].filter(([name]) => !name.endsWith(".bias")));
    const source = await openModel(withTinyTokenizer({ ...checkpoint, tensors }, { use_bias: false }));
    const file = await converted(source);
    expect(file.model.checkpoint.metadata.get("general.architecture")).toBe("ernie4_5");
    expect(file.model.spec).toEqual(source.spec);
    await expectComputed(file);
  });

  test.each(["phi3-longrope", "qwen2"])("a %s with fewer heads in all layers, which only deci knows", async (name) => {
    const source = await open(tinyPath(name));
    const fewer = { numAttentionHeads: 2, numKeyValueHeads: 1 };
    const file = await converted(source, cut(source.spec, fewer, fewer, fewer));
    expect(file.model.checkpoint.metadata.get("general.architecture")).toBe("deci");
    await expectComputed(file);
  });

  const mixtures = Object.entries(CONVERTED).filter(([, { header }]) =>
    Object.keys(header).some((key) => key.endsWith("expert_count")),
  );

  test.each(mixtures)("a %s with an expert less in each mixture", async (name, { changes }) => {
    const source = await open(tinyPath(name), changes);
    const layers = source.spec.layers.map((layer) => withExperts(layer, (mixtureOf(layer)?.numExperts ?? 1) - 1));
    const file = await converted(source, { ...source.spec, layers });
    expect(file.model.spec.layers.map((layer) => mixtureOf(layer)?.numExperts)).toEqual(
      layers.map((layer) => mixtureOf(layer)?.numExperts),
    );
    await expectComputed(file);
  });

  test("a Qwen 2 MoE without a plain MLP, as llama.cpp's qwen2moe", async () => {
    const source = await open(tinyPath("qwen2-moe"));
    const file = await converted(source, cut(source.spec, {}));
    const { metadata, tensors } = file.model.checkpoint;
    expect(metadata.get("general.architecture")).toBe("qwen2moe");
    expect(metadata.get("qwen2moe.expert_shared_feed_forward_length")).toBe(12);
    expect(tensors.get("blk.0.ffn_gate_inp_shexp.weight")?.dtype).toBe("F32");
    expect(file.model.spec).toEqual(cut(source.spec, {}));
    await expectComputed(file);
  });

  test("a Gemma 3 whose layers with and without a window come in no regular order", async () => {
    const source = await open(tinyPath("gemma3"), { layer_types: ORDER });
    const file = await converted(source);
    expect(file.model.spec.layers.map(({ type }) => type)).toEqual(ORDER);
    await expectComputed(file);
  });
});

describe("refused, with what to do, is", () => {
  const fewer = { numAttentionHeads: 2, numKeyValueHeads: 1 };
  test.each<[string, string, (spec: DecoderSpec) => DecoderSpec, string]>([
    ["widths per layer of a Qwen 3", "qwen3", (spec) => cut(spec, { intermediateSize: 8 }, {}, {}), "differ in width"],
    [
      "fewer heads of a StarCoder 2",
      "starcoder2",
      (spec) => cut(spec, fewer, fewer, fewer),
      "starcoder2 does not know heads",
    ],
    ["a SmolLM3 with another layer unrotated", "smollm3", (spec) => spec, "no form for a smollm3"],
    ["an Exaone 4 with windows", "exaone4", (spec) => spec, "not 3"],
    [
      "another activation than the architecture's",
      "llama-gelu",
      (spec) => spec,
      "llama does not know the activation gelu",
    ],
    ["YaRN with bounds of its own", "yarn-rope", (spec) => spec, "llama does not know this ramp of YaRN"],
    ["an OPT", "opt", (spec) => spec, "GGUF files of opt models are not supported"],
    ["an OLMoE with shared keys", "olmoe", (spec) => spec, "key-value heads that several queries share"],
    ["a gpt-oss with another limit of its gate", "gpt-oss", (spec) => spec, "a gate of alpha 1.702 and limit 7 only"],
    [
      "a Qwen 3 MoE whose experts are weighed as they are scored",
      "qwen3-moe",
      (spec) => ({ ...spec, routing: { ...spec.routing!, renormalised: undefined } }),
      "weights of experts that are not made to sum to 1",
    ],
    [
      "a plain MLP behind experts",
      "lfm2-moe",
      (spec) => ({ ...spec, layers: [...spec.layers.slice(1), spec.layers[0]!] }),
      "layers without experts among the others",
    ],
    ["a rotation that grows with the text", "dynamic-rope", (spec) => spec, "depends on the length of the text"],
    ["a StableLM with a norm for each head", "stablelm-parallel", (spec) => spec, "a norm of its own for each head"],
    [
      "a bias that the architecture has no place for",
      "arcee",
      (spec) => ({ ...spec, bias: { ...spec.bias, mlp: true, down: true } }),
      "arcee does not know a bias in the MLP",
    ],
    ["a Gemma 2 that scales its scores otherwise", "gemma2", (spec) => spec, "llama.cpp scales the attention"],
    [
      "a Gemma 2 without its caps",
      "gemma2",
      (spec) => ({ ...spec, attentionScale: spec.headDim ** -0.5, logitCap: undefined }),
      "without a cap",
    ],
  ])("%s", async (_, name, change, message) => {
    const source = await open(tinyPath(name));
    await expect(converted(source, change(source.spec))).rejects.toMatchObject({
      kind: "architecture",
      message: expect.stringContaining(message),
      hint: expect.stringContaining("write a folder"),
    });
  });
});
