import { expect, test } from "vitest";
import type { ModelConfig } from "../../../src/model/config/config-fields.ts";
import { parseConfig } from "../../../src/model/config/parse-config.ts";
import { layerIndices } from "../../../src/model/spec/layer-index.ts";
import { resized } from "../../../src/model/spec/parts.ts";
import { textConfig } from "../../../src/model/surroundings.ts";
import { prunedConfig } from "../../../src/model/write/pruned-config.ts";
import { wholeConfig } from "../../../src/model/write/whole-config.ts";
import { readJsonFixture } from "../../helpers/fixtures.ts";

const GEMMA3 = readJsonFixture<ModelConfig>("tiny", "gemma3-vlm", "config.json");
const STOCK = "Gemma3ForConditionalGeneration";
const OURS = `modeling_comp.Comp${STOCK}`;
const OUR_MAP = { AutoModelForImageTextToText: OURS, AutoModelForCausalLM: OURS };

/** The configuration of the whole whose layers have these widths. */
function withWidths(whole: ModelConfig, widths: readonly number[]): ModelConfig {
  const text = textConfig(whole)!;
  const spec = parseConfig(text);
  const layers = spec.layers.map((layer, index) => resized(layer, { intermediateSize: widths[index]! }));
  const own = prunedConfig(text, spec, { keptLayers: layerIndices(spec), layers });
  return wholeConfig({ config: whole, nameOf: (name) => name, tensors: [] }, own);
}

test("layers of one size leave the class as it is", () => {
  const config = withWidths(GEMMA3, [16, 16, 16]);
  expect(config).toMatchObject({ architectures: [STOCK], text_config: { intermediate_size: 16 } });
  expect(config).not.toHaveProperty("auto_map");
});

test("sizes of each layer stand with the text part, the class that understands them outside", () => {
  const config = withWidths(GEMMA3, [16, 8, 24]);
  expect(config).toMatchObject({
    architectures: [`Comp${STOCK}`],
    auto_map: OUR_MAP,
    text_config: { intermediate_size: 24, intermediate_sizes: [16, 8, 24] },
    vision_config: GEMMA3.vision_config,
  });
  expect(config.text_config).not.toHaveProperty("auto_map");
  expect(parseConfig(textConfig(config)!).layers.map(({ channel }) => channel?.intermediateSize)).toEqual([16, 8, 24]);
});

test("a whole of an earlier run gets its stock class back, or ours again", () => {
  const earlier = withWidths(GEMMA3, [16, 8, 24]);
  expect(withWidths(earlier, [8, 8, 8])).toEqual(withWidths(GEMMA3, [8, 8, 8]));
  expect(withWidths(earlier, [8, 8, 16])).toEqual(withWidths(GEMMA3, [8, 8, 16]));
});

test("classes of its own that do not depend on sizes stay", () => {
  const own = { AutoProcessor: "processing_mine.P" };
  const whole = { ...GEMMA3, auto_map: own };
  expect(withWidths(whole, [16, 16, 16]).auto_map).toEqual(own);
  expect(withWidths(whole, [16, 8, 24]).auto_map).toEqual({ ...own, ...OUR_MAP });
});
