// The metadata of a GGUF file to be written. From a GGUF source it is carried over byte for byte, with the model's own keys
// replaced; from a folder it is made from the configuration and the tokenizer's files.
// Key names: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

import type { Checkpoint } from "../../checkpoint/checkpoint.ts";
import { ggufValue } from "../../checkpoint/gguf-bytes.ts";
import type { GgufMetadata } from "../../checkpoint/write-gguf.ts";
import { ggufTokenizer } from "../../tokenizer/gguf/to-gguf.ts";
import type { GgufHeader } from "../families/gguf-traits.ts";
import { type GgufLayout, IDLE, layoutOf, storedSpec } from "../gguf/layout.ts";
import { mixtureHeader } from "../gguf/mixture.ts";
import { ropeHeader } from "../gguf/rope.ts";
import type { Model } from "../model.ts";
import type { DecoderSpec } from "../spec/decoder-spec.ts";
import { countParameters } from "../spec/parameters.ts";
import { attentionOf, type LayerSizes, sizesOf } from "../spec/parts.ts";

/** Keys that describe the source file and how it was made, not the model. */
const OF_THE_FILE = /^(general\.alignment|split\.|quantize\.|comp\.)/;

/**
 * Metadata of a model of `spec` made from `source`.
 * @throws {CompError} "architecture" for what llama.cpp cannot compute, "checkpoint" for a tokenizer that GGUF has no name for.
 */
export async function ggufMetadata(
  source: Model,
  spec: DecoderSpec,
  layout: GgufLayout,
  fileType: number,
): Promise<GgufMetadata> {
  const { checkpoint } = source;
  const stored = storedSpec(spec, layout);
  const entries = new Map(checkpoint.format === "gguf" ? await carriedOver(checkpoint, layout) : []);
  const prefixed = Object.entries({ ...sharedHeader(stored, layout), ...layout.family.gguf.header(stored) }).map(
    ([key, value]) => [`${layout.architecture}.${key}`, value] as const,
  );
  const own = Object.entries({ ...general(spec, layout, fileType), ...idleParts(spec, stored) });
  for (const [key, [type, value]] of [...own, ...prefixed]) entries.set(key, ggufValue(type, value));
  if (checkpoint.format !== "gguf")
    for (const [key, value] of await ggufTokenizer(checkpoint, spec.vocabSize)) entries.set(key, value);
  return entries;
}

/** All metadata of a GGUF source; the model's own keys get the prefix of the architecture to be written. */
async function carriedOver(checkpoint: Checkpoint, { architecture }: GgufLayout): Promise<[string, Uint8Array][]> {
  const old = `${layoutOf(checkpoint).architecture}.`;
  const carried: [string, Uint8Array][] = [];
  for (const key of checkpoint.metadata.keys()) {
    if (OF_THE_FILE.test(key)) continue;
    const name = key.startsWith(old) ? `${architecture}.${key.slice(old.length)}` : key;
    carried.push([name, await checkpoint.readMetadata(key)]);
  }
  return carried;
}

function general(spec: DecoderSpec, { architecture }: GgufLayout, fileType: number): GgufHeader {
  return {
    "general.architecture": ["string", architecture],
    "general.type": ["string", "model"],
    "general.size_label": ["string", sizeLabel(countParameters(spec).total)],
    "general.file_type": ["u32", fileType],
    "general.quantization_version": ["u32", 2],
  };
}

/** The sublayers that are stored but not part of the model, so that our own reader leaves them out. */
function idleParts(spec: DecoderSpec, stored: DecoderSpec): GgufHeader {
  const idle = (part: "mixer" | "channel"): number[] =>
    [...spec.layers.keys()].filter(
      (index) => spec.layers[index]![part] === null && stored.layers[index]![part] !== null,
    );
  const lists = [[IDLE.attention, idle("mixer")] as const, [IDLE.mlp, idle("channel")] as const];
  return Object.fromEntries(lists.filter(([, list]) => list.length > 0).map(([key, list]) => [key, ["i32", list]]));
}

/** The number of parameters as llama.cpp's converter rounds it: 135M, 1.1B. */
function sizeLabel(parameters: number): string {
  const [unit, letter] =
    parameters > 1e9 ? ([1e9, "B"] as const) : parameters > 1e6 ? ([1e6, "M"] as const) : ([1e3, "K"] as const);
  const count = parameters / unit;
  return `${count.toFixed(count < 9.95 ? 1 : 0)}${letter}`;
}

function sharedHeader(spec: DecoderSpec, layout: GgufLayout): GgufHeader {
  const { layers, headDim } = spec;
  const rms = spec.normKind === "rms" ? "_rms" : "";
  return {
    block_count: ["u32", layers.length],
    context_length: ["u32", spec.maxPositionEmbeddings],
    embedding_length: ["u32", spec.hiddenSize],
    vocab_size: ["u32", spec.vocabSize],
    feed_forward_length: sizeOf(spec, layout, "intermediateSize"),
    "attention.head_count": sizeOf(spec, layout, "numAttentionHeads"),
    "attention.head_count_kv": sizeOf(spec, layout, "numKeyValueHeads"),
    "attention.key_length": ["u32", headDim],
    "attention.value_length": ["u32", headDim],
    [`attention.layer_norm${rms}_epsilon`]: ["f32", spec.normEpsilon],
    ...rotary(spec, layout),
    ...mixtureHeader(spec),
  };
}

/** One number for all layers, or a list. Where some layers have other mixers, llama.cpp knows them by their key-value heads. */
function sizeOf({ layers }: DecoderSpec, { perLayer }: GgufLayout, size: keyof LayerSizes): GgufHeader[string] {
  const all = layers.map((layer) => sizesOf(layer)[size]);
  const isHybrid = layers.some(({ mixer }) => mixer !== null && mixer.kind !== "attention");
  return perLayer || (isHybrid && size === "numKeyValueHeads") ? ["i32", all] : ["u32", Math.max(...all)];
}

/** Of layers that see everything, where others have a window. */
function rotary(spec: DecoderSpec, layout: GgufLayout): GgufHeader {
  const attentions = spec.layers.flatMap((layer) => attentionOf(layer) ?? []).filter(({ rope }) => rope !== undefined);
  const full = attentions.find(({ slidingWindow }) => slidingWindow === undefined) ?? attentions[0];
  if (full?.rope === undefined) return {};
  return { "rope.dimension_count": ["u32", spec.rotarySize], ...ropeHeader(full.rope, spec.rotarySize, layout) };
}
