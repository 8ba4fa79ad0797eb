import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Dtype, decode, encode } from "../../../src/checkpoint/dtype.ts";
import { openFolder } from "../../../src/checkpoint/open-checkpoint.ts";
import { outputFormat } from "../../../src/method/output-format.ts";
import { weightBytes } from "../../../src/method/output-types.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import { readLayer } from "../../../src/model/read-layer.ts";
import { type LayerIndex, layerIndices, layerPositions } from "../../../src/model/spec/layer-index.ts";
import { modelTensors } from "../../../src/model/spec/tensor-names.ts";
import { ModelWriter } from "../../../src/model/write/model-writer.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";
import { ggufTypes, tensorTypes } from "../../../src/model/write/tensor-types.ts";
import { openPath } from "../../../src/node/open-path.ts";
import { stageFile } from "../../../src/node/output-folder.ts";
import { openTokenizer } from "../../../src/tokenizer/tokenizer.ts";
import { DEMO_MODEL } from "../../helpers/built.ts";
import { tinyPath } from "../../helpers/fixtures.ts";
import { forwardLogits } from "../../helpers/forward-logits.ts";
import { judge } from "../../helpers/llama-cpp.ts";
import { memoryFolder, memoryOutput } from "../../helpers/memory.ts";
import { worstProbability } from "../../helpers/probabilities.ts";
import { temporaryFolder } from "../../helpers/temporary.ts";

const opened: Model[] = [];
async function open(path: string): Promise<Model> {
  const model = await openModel(await openPath(path));
  opened.push(model);
  return model;
}
afterAll(async () => {
  for (const { checkpoint } of opened) await checkpoint.close();
});

/** The model as if its tensors were stored in other types. */
const typed = (model: Model, rule: (name: string) => Dtype): Model => ({
  ...model,
  tensors: new Map([...model.tensors].map(([name, info]) => [name, { ...info, dtype: rule(name) }])),
});

const RULES: Record<string, (name: string) => Dtype> = {
  "an F32 embedding beside BF16 layers": (name) => (name.includes("embed") ? "F32" : "BF16"),
  "a BF16 embedding beside F32 layers": (name) => (name.includes("embed") ? "BF16" : "F32"),
  "F32 norms beside F16 matrices": (name) => (name.includes("norm") ? "F32" : "F16"),
  "one layer in F32": (name) => (name.includes("layers.1.") ? "F32" : "BF16"),
  "MLPs in F16, attention in BF16": (name) => (name.includes("mlp") ? "F16" : "BF16"),
};

describe.each(Object.entries(RULES))("%s", (_, rule) => {
  test("stay as they are in a folder, whichever layers stay", async () => {
    const model = typed(await open(tinyPath("llama")), rule);
    const keptLayers = [1, 2] as LayerIndex[];
    const spec = { ...model.spec, layers: keptLayers.map((index) => model.spec.layers[index]!) };
    const types = tensorTypes(model, keptLayers, "same");
    const output = memoryOutput();
    const writer = await ModelWriter.create(output, model, spec, types, 1e9);
    for (const position of layerPositions(spec))
      await writer.writeLayer(position, (await readLayer(model, keptLayers[position]!)).weights);
    await writer.copyGlobals();
    await writer.finish();
    const written = await openFolder(memoryFolder(output.files));
    const sourceName = (name: string): string =>
      name.replace(/layers\.(\d+)/, (_, position) => `layers.${keptLayers[Number(position)]}`);
    for (const { name, dtype } of written.tensors.values())
      expect([name, dtype]).toEqual([name, rule(sourceName(name))]);
    const bytes = [...written.tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    const format = outputFormat({ dtype: "auto", importance: "auto" }, "safetensors");
    expect(weightBytes(model, { spec, keptLayers }, format)).toBe(bytes);
  });

  test("all become what is asked for", async () => {
    const model = typed(await open(tinyPath("llama")), rule);
    const types = tensorTypes(model, layerIndices(model.spec), "F16");
    expect(new Set(modelTensors(model.spec).map((tensor) => types.of(tensor)))).toEqual(new Set(["F16"]));
  });
});

test.each<[string, (name: string) => Dtype, string]>([
  ["that of most matrices", RULES["an F32 embedding beside BF16 layers"]!, "bfloat16"],
  ["not that of the vectors", RULES["F32 norms beside F16 matrices"]!, "float16"],
  ["not that of the embedding alone", RULES["a BF16 embedding beside F32 layers"]!, "float32"],
  ["f16 where most are quantized", (name) => (name.includes("norm") ? "F32" : "Q4_K"), "float16"],
])("the type that config.json names is %s", async (_, rule, expected) => {
  const model = typed(await open(tinyPath("llama")), rule);
  const keptLayers = layerIndices(model.spec);
  const dtype = tensorTypes(model, keptLayers, "same").most;
  const { torch_dtype, dtype: named } = prunedConfig({ model_type: "llama", torch_dtype: "x" }, model.spec, {
    keptLayers,
    layers: model.spec.layers,
    dtype,
  });
  expect([torch_dtype, named]).toEqual([expected, undefined]);
});

test("of a quantized source the float tensors keep their types, the others become F16", async () => {
  const model = typed(await open(tinyPath("llama")), (name) =>
    name.includes("embed") ? "BF16" : name.includes("norm") ? "F32" : "Q5_K",
  );
  const types = tensorTypes(model, layerIndices(model.spec), "same");
  const found = modelTensors(model.spec).map((tensor) => [tensor.part, types.of(tensor)].join(" "));
  expect([...new Set(found)].sort()).toEqual(["attention F16", "embeddings BF16", "head F16", "mlp F16", "norms F32"]);
});

test("in a GGUF file matrices stay in their types, vectors are F32, and llama.cpp runs it", async () => {
  const rule = (name: string): Dtype => (name.includes("embed") ? "F32" : name.includes("mlp") ? "F16" : "BF16");
  const model = typed(await open(DEMO_MODEL), rule);
  const keptLayers = layerIndices(model.spec);
  const path = join(temporaryFolder(), "mixed.gguf");
  const output = await stageFile(path, { overwrite: false });
  const writer = await ModelWriter.createGguf(output, model, model.spec, ggufTypes(model, keptLayers, "same", false));
  for (const position of layerPositions(model.spec))
    await writer.writeLayer(position, (await readLayer(model, keptLayers[position]!)).weights);
  await writer.copyGlobals();
  await writer.finish();
  await output.commit();
  const written = await open(path);
  for (const { name: tensor, dtype, shape } of written.tensors.values())
    expect([tensor, dtype]).toEqual([tensor, shape.length === 1 ? "F32" : rule(tensor)]);
  const ids = (await openTokenizer(written.checkpoint)).encode("The old man");
  const { logits } = await judge(path, ids, "a");
  expect(worstProbability(await forwardLogits(written, ids), logits)).toBeLessThan(0.02);
}, 60_000);

test("a matrix with moments of its inputs is quantized by them, where an input that is never used still counts a little", async () => {
  const model = await open(DEMO_MODEL);
  const path = join(temporaryFolder(), "weighed.gguf");
  const output = await stageFile(path, { overwrite: false });
  const types = ggufTypes(model, layerIndices(model.spec), "q4_0", true);
  const writer = await ModelWriter.createGguf(output, model, model.spec, types);
  const indices = layerIndices(model.spec);
  const last = layerPositions(model.spec).at(-1)!;
  const name = `model.layers.${last}.mlp.down_proj.weight`;
  const data = await model.read(name);
  const shape = model.tensors.get(name)!.shape;
  const moments = Float32Array.from({ length: shape[1]! }, (_, i) => 4 * (i % 2));
  for (const position of layerPositions(model.spec)) {
    const { weights } = await readLayer(model, indices[position]!);
    const downProj = { data, shape, inputMoments: moments };
    await writer.writeLayer(position, position === last ? { ...weights, downProj } : weights);
  }
  await writer.copyGlobals();
  await writer.finish();
  await output.commit();
  const counted = moments.map((moment) => Math.max(moment, 0.001 * 2));
  const expected = decode("Q4_0", encode("Q4_0", data, counted));
  const written = await (await open(path)).read(name);
  expect(written).toEqual(expected);
  expect(written).not.toEqual(decode("Q4_0", encode("Q4_0", data)));
});
