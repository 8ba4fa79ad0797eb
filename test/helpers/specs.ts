// Small descriptions of models, with sizes that can be counted in one's head.
import { parseConfig } from "../../src/model/config/parse-config.ts";
import type { DecoderSpec } from "../../src/model/spec/decoder-spec.ts";
import type { LayerIndex, LayerPosition } from "../../src/model/spec/layer-index.ts";
import { type LayerSizes, resized } from "../../src/model/spec/parts.ts";
import { readJsonFixture } from "./fixtures.ts";

const config = (family: string) => readJsonFixture<Record<string, unknown>>("tiny", family, "config.json");

/**
 * A llama of hidden size 10. The matrices of a layer have 1000 parameters: 4 · 10 · 10 of an attention of two heads of 5
 * elements, and 3 · 10 for each of 20 neurons. Beyond them there are two norms of 10 a layer, embeddings of 10 · 10 and a norm.
 * (To run it would take heads of an even size.)
 */
export function smallSpec(layers = 4, over: Partial<LayerSizes> = {}): DecoderSpec {
  const heads = { num_attention_heads: 2, num_key_value_heads: 2, head_dim: 10 };
  const sizes = { hidden_size: 10, intermediate_size: 20, vocab_size: 10, num_hidden_layers: layers, ...heads };
  const spec = parseConfig({ ...config("llama"), ...sizes, tie_word_embeddings: true });
  return { ...spec, headDim: 5, layers: spec.layers.map((layer) => resized(layer, over)) };
}

/** The description of one of the tiny checkpoints. */
export const tinySpec = (family: string): DecoderSpec => parseConfig(config(family));

/** Indices of layers of a source model. */
export const layersAt = (...indices: number[]): LayerIndex[] => indices as LayerIndex[];

/** A position among the layers that stay. */
export const position = (at: number): LayerPosition => at as LayerPosition;
