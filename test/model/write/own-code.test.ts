import { expect, test } from "vitest";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { type Model, openModel } from "../../../src/model/model.ts";
import type { DecoderSpec } from "../../../src/model/spec/decoder-spec.ts";
import { layerIndices } from "../../../src/model/spec/layer-index.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { modelTensors } from "../../../src/model/spec/tensor-names.ts";
import { checkOwnCode } from "../../../src/model/write/own-code.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";
import { countingTensors, memoryCheckpoint } from "../memory-checkpoint.ts";

const OWN = { AutoConfig: "configuration_mine.C", AutoModelForCausalLM: "modeling_mine.M" };
const OURS = { AutoModelForCausalLM: "modeling_comp.CompForCausalLM" };

async function model(fields: object = { auto_map: OWN }): Promise<Model> {
  const config = {
    ...{ model_type: "llama", hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 4 },
    ...{ num_key_value_heads: 4, vocab_size: 10, ...fields },
  };
  const shapes = modelTensors(parseConfig(config)).map(({ name, shape }) => [name, shape] as const);
  const checkpoint = memoryCheckpoint(countingTensors(Object.fromEntries(shapes)), { config });
  return openModel({ ...checkpoint, files: ["configuration_mine.py", "modeling_mine.py"] });
}

type Change = (spec: DecoderSpec) => DecoderSpec;
const narrower: Change = (spec) => ({
  ...spec,
  layers: spec.layers.map((layer) => resized(layer, { intermediateSize: 8 })),
});
const fewerHeads: Change = (spec) => ({
  ...spec,
  layers: spec.layers.map((layer) => resized(layer, { numAttentionHeads: 2, numKeyValueHeads: 2 })),
});

const configOf = (source: Model, spec: DecoderSpec) =>
  prunedConfig(source.config, source.spec, {
    keptLayers: layerIndices(source.spec),
    layers: spec.layers,
    bias: spec.bias,
  });

test("code of the source's own stays where its class still fits", async () => {
  const source = await model();
  for (const spec of [source.spec, narrower(source.spec)]) {
    checkOwnCode(source, spec, false);
    expect(configOf(source, spec)).toMatchObject({ auto_map: OWN, architectures: ["LlamaForCausalLM"] });
  }
  const stated = await model({ auto_map: OWN, head_dim: 4 });
  checkOwnCode(stated, fewerHeads(stated.spec), false);
});

test.each<[string, Change, boolean, string]>([
  ["layers that differ", narrower, true, "which need not load layers of these sizes"],
  [
    "layers that turned out to differ",
    (spec) => ({ ...spec, layers: [spec.layers[0]!, resized(spec.layers[1]!, { intermediateSize: 8 })] }),
    false,
    "layers of these sizes",
  ],
  ["heads whose size does not follow any more", fewerHeads, false, "fewer heads of the same size"],
  [
    "biases that are new",
    (spec) => ({ ...spec, bias: { ...spec.bias, mlp: true, down: true } }),
    false,
    "the biases that recovery adds",
  ],
])("is refused by name for %s", async (_, change, perLayer, why) => {
  const source = await model();
  expect(() => checkOwnCode(source, change(source.spec), perLayer)).toThrow(
    expect.objectContaining({
      kind: "architecture",
      message: expect.stringMatching(new RegExp(`^auto_map in config.json .*configuration_mine.C.*${why}$`)),
      hint: expect.stringContaining("LlamaForCausalLM"),
    }),
  );
});

test("a tokenizer's class fits whatever the sizes are, beside our own class", async () => {
  const source = await model({ auto_map: { AutoTokenizer: ["modeling_mine.T", null] } });
  const spec = narrower(source.spec);
  const layers = [spec.layers[0]!, source.spec.layers[1]!];
  checkOwnCode(source, { ...spec, layers }, true);
  expect(configOf(source, { ...spec, layers }).auto_map).toEqual({ AutoTokenizer: ["modeling_mine.T", null], ...OURS });
});

test("code that is not there is told, code on the hub need not be there", async () => {
  const lost = await model({ auto_map: { AutoModelForCausalLM: "modeling_lost.M" } });
  expect(() => checkOwnCode(lost, lost.spec, false)).toThrow("folder lacks modeling_lost.py, which auto_map in");
  const hub = await model({ auto_map: { AutoModelForCausalLM: "owner/name--modeling_lost.M" } });
  checkOwnCode(hub, hub.spec, false);
});

test("our own class of an earlier run is dropped where a stock one does", async () => {
  const source = await model({ auto_map: OURS, intermediate_sizes: [24, 24] });
  checkOwnCode(source, source.spec, false);
  expect(configOf(source, source.spec)).not.toHaveProperty("auto_map");
  expect(configOf(source, source.spec)).not.toHaveProperty("intermediate_sizes");
});
